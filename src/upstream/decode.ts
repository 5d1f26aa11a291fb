/**
 * Undoes Content-Encoding of a body that is held in memory, never beyond a given size: a few kilobytes can unpack to
 * gigabytes. Used for answers that must be looked at and for compressed request bodies. The outcome is a value; the
 * caller knows whose fault it is.
 */
import { promisify } from 'node:util';
import zlib from 'node:zlib';

export type Decoded =
  { ok: true; body: Buffer } | { ok: false; reason: 'too_large' | 'malformed' | 'unknown_encoding' };

type Unpack = (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;
const gunzip = promisify(zlib.gunzip) as Unpack;
const inflate = promisify(zlib.inflate) as Unpack;
const inflateRaw = promisify(zlib.inflateRaw) as Unpack;

/** `deflate` means zlib by the standard and bare deflate by habit. */
const inflateEither: Unpack = (body, options) =>
  body.length > 1 && ((body[0] as number) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0
    ? inflate(body, options)
    : inflateRaw(body, options);

const unpackers: Readonly<Record<string, Unpack>> = {
  gzip: gunzip,
  'x-gzip': gunzip,
  deflate: inflateEither,
  br: promisify(zlib.brotliDecompress) as Unpack,
  zstd: promisify(zlib.zstdDecompress) as Unpack,
};

/** More layers than this are an attack, not a habit. */
const maxLayers = 3;

const codings = (encoding: string): string[] =>
  encoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');

const unpackOnce = async (body: Buffer, unpack: Unpack, maxBytes: number): Promise<Decoded> => {
  try {
    return { ok: true, body: await unpack(body, { maxOutputLength: maxBytes }) };
  } catch (error) {
    const tooLarge = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
    return { ok: false, reason: tooLarge ? 'too_large' : 'malformed' };
  }
};

/** `encoding` is the value of Content-Encoding; undefined or empty = none. */
export const decodeBody = async (body: Buffer, encoding: string | undefined, maxBytes: number): Promise<Decoded> => {
  const layers = codings(encoding ?? '');
  if (layers.length > maxLayers) return { ok: false, reason: 'unknown_encoding' };
  let current = body;
  for (const coding of layers.reverse()) {
    const unpack = Object.hasOwn(unpackers, coding) ? unpackers[coding] : undefined;
    if (unpack === undefined) return { ok: false, reason: 'unknown_encoding' };
    if (current.length === 0) return { ok: true, body: current };
    const result = await unpackOnce(current, unpack, maxBytes);
    if (!result.ok) return result;
    current = result.body;
  }
  return current.length > maxBytes ? { ok: false, reason: 'too_large' } : { ok: true, body: current };
};
