/**
 * The pool of connections to one URL of a cluster as its configuration wants it, certificates included. HTTP/1.1 only and
 * one request at a time per connection: what one request does to a connection must never touch another request.
 */
import { readFileSync } from 'node:fs';
import type { ClusterConfig, TlsClient } from '../config.ts';
import { CrossfadeError } from '../errors.ts';
import { Opener, type TlsOptions } from './wire/open-socket.ts';
import { Pool } from './wire/pool.ts';

const readPem = (file: string | undefined): Buffer | undefined => {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CrossfadeError('CONFIG_INVALID', `The certificate file ${file} cannot be read.`, { cause });
  }
};

const tlsOptions = (tls: TlsClient | undefined): TlsOptions => {
  const ca = readPem(tls?.caFile);
  const cert = readPem(tls?.certFile);
  const key = readPem(tls?.keyFile);
  return {
    rejectUnauthorized: tls?.verify ?? true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  };
};

/** @throws CrossfadeError CONFIG_INVALID when a certificate file cannot be read. */
export const createPool = (origin: URL, config: ClusterConfig, now: () => number): Pool =>
  new Pool({
    opener: new Opener(origin, origin.protocol === 'https:' ? tlsOptions(config.tls) : undefined),
    maxConnections: config.maxConnections,
    connectTimeoutMs: config.connectTimeoutMs,
    now,
  });
