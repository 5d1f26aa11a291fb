/**
 * AWS Signature Version 4 for OpenSearch Service (`es`) and Serverless (`aoss`). Only Host and the x-amz-* headers made
 * here are signed: anything that a hop may change or drop would break the signature. The body's digest is part of it, so
 * a streamed body must be held first.
 */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import type { SignatureV4 } from '@smithy/signature-v4';
import type { SigV4 } from '../config.ts';
import { CrossfadeError } from '../errors.ts';
import { type Secret, secretFrom } from './secret.ts';

export type Signable = { method: string /** Raw path and query. */; path: string; body: Buffer | null };
/** The path may differ from the one given: `+` in the query becomes `%20`, which servers cannot read in two ways. */
export type Signed = { path: string; headers: string[] };
export type Signer = (request: Signable, origin: URL) => Promise<Signed>;

type Bytes = string | ArrayBuffer | ArrayBufferView;
const toBytes = (data: Bytes): Buffer => {
  if (typeof data === 'string') return Buffer.from(data, 'utf8');
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
};

/** The digest the signer asks for, by node:crypto. */
class Sha256 {
  #hash: Hash | Hmac;
  readonly #secret: Buffer | undefined;
  constructor(secret?: Bytes) {
    this.#secret = secret === undefined ? undefined : toBytes(secret);
    this.#hash = this.#fresh();
  }
  update(data: Bytes): void {
    this.#hash.update(toBytes(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    this.#hash = this.#fresh();
  }
  #fresh(): Hash | Hmac {
    return this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret);
  }
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** Parameters as the signer wants them; repeated names keep all values. */
const queryBag = (query: string): Record<string, string | string[]> => {
  const bag: Record<string, string | string[]> = {};
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decoded(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? '' : decoded(part.slice(equals + 1));
    const before = bag[name];
    bag[name] = before === undefined ? value : [...(typeof before === 'string' ? [before] : before), value];
  }
  return bag;
};

const needed = (secret: Secret | undefined, name: string): Secret => {
  if (secret === undefined) throw new CrossfadeError('CONFIG_INVALID', `sigv4 needs ${name} or ${name}File.`);
  return secret;
};

type SignerOptions = Parameters<typeof secretFrom>[2] & { signingDate?: () => Date };

/** @throws CrossfadeError CONFIG_INVALID when a key is missing or its file cannot be read. */
export const createSigner = (config: SigV4, { signingDate = () => new Date(), ...options }: SignerOptions): Signer => {
  const accessKeyId = needed(secretFrom(config.accessKeyId, config.accessKeyIdFile, options), 'accessKeyId');
  const secretAccessKey = needed(
    secretFrom(config.secretAccessKey, config.secretAccessKeyFile, options),
    'secretAccessKey',
  );
  const sessionToken = secretFrom(config.sessionToken, config.sessionTokenFile, options);
  const credentials = async () => {
    const token = sessionToken?.();
    return {
      accessKeyId: accessKeyId(),
      secretAccessKey: secretAccessKey(),
      ...(token === undefined ? {} : { sessionToken: token }),
    };
  };
  const { service, region } = config;
  let signer: Promise<SignatureV4> | undefined;
  return async ({ method, path, body }, origin) => {
    const question = path.indexOf('?');
    const pathOnly = question < 0 ? path : path.slice(0, question);
    const query = question < 0 ? '' : path.slice(question + 1).replaceAll('+', '%20');
    const request = {
      method,
      protocol: origin.protocol,
      hostname: origin.hostname,
      path: pathOnly,
      query: queryBag(query),
      headers: { host: origin.host },
      ...(body === null ? {} : { body }),
    };
    // Loaded by the first request: most clusters are not signed for, and the library takes some megabytes.
    signer ??= import('@smithy/signature-v4').then(
      (library) => new library.SignatureV4({ service, region, credentials, sha256: Sha256 }),
    );
    const { headers } = await (await signer).sign(request, { signingDate: signingDate() });
    const pairs = Object.entries(headers).flatMap(([name, value]) => (name === 'host' ? [] : [name, value]));
    return { path: question < 0 ? pathOnly : `${pathOnly}?${query}`, headers: pairs };
  };
};
