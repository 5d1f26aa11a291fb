import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBody } from '../../../src/upstream/decode.ts';

const pack: Record<string, (body: Buffer) => Buffer> = {
  gzip: (body) => zlib.gzipSync(body),
  'x-gzip': (body) => zlib.gzipSync(body),
  deflate: (body) => zlib.deflateSync(body),
  br: (body) => zlib.brotliCompressSync(body),
  zstd: (body) => zlib.zstdCompressSync(body),
};
const text = Buffer.from('{"hits":{"total":3}}'.repeat(50));

describe('a packed body', () => {
  it.each(Object.keys(pack))('comes out of %s as it went in', async (coding) => {
    expect(await decodeBody(pack[coding]!(text), coding.toUpperCase(), 1 << 20)).toEqual({ ok: true, body: text });
  });

  it('comes out of bare deflate, which some call deflate too', async () => {
    expect(await decodeBody(zlib.deflateRawSync(text), 'deflate', 1 << 20)).toEqual({ ok: true, body: text });
  });

  it('comes out of several layers, the last one first', async () => {
    const twice = zlib.brotliCompressSync(zlib.gzipSync(text));
    expect(await decodeBody(twice, 'gzip, br', 1 << 20)).toEqual({ ok: true, body: text });
  });

  it.each([undefined, '', 'identity'])('is left alone with the encoding %j', async (encoding) => {
    expect(await decodeBody(text, encoding, 1 << 20)).toEqual({ ok: true, body: text });
  });

  it.each(Object.keys(pack))('that grows beyond the limit is not unpacked: %s', async (coding) => {
    const bomb = pack[coding]!(Buffer.alloc(4 << 20));
    expect(bomb.length).toBeLessThan(64 * 1024);
    expect(await decodeBody(bomb, coding, 64 * 1024)).toEqual({ ok: false, reason: 'too_large' });
  });

  it.each([
    ['compress', 'unknown_encoding'],
    ['constructor', 'unknown_encoding'],
    ['gzip, gzip, gzip, gzip', 'unknown_encoding'],
    ['gzip', 'malformed'],
  ])('with the encoding %s is told as %s', async (encoding, reason) => {
    expect(await decodeBody(Buffer.from('no such thing'), encoding, 1 << 20)).toEqual({ ok: false, reason });
  });

  it('that was cut short is malformed, wherever it was cut', async () => {
    const whole = zlib.gzipSync(text);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: whole.length - 1 }), async (length) => {
        const cut = await decodeBody(whole.subarray(0, length), 'gzip', 1 << 20);
        expect(cut).toEqual({ ok: false, reason: 'malformed' });
      }),
    );
  });
});
