/**
 * The pool of connections to one URL of a cluster as its configuration wants it, certificates included. HTTP/1.1 only and
 * one request at a time per connection: what one request does to a connection must never touch another request.
 */
import type { ClusterConfig } from '../config.ts';
import type { Logger } from '../log.ts';
import { clientTls } from './client-tls.ts';
import { Opener } from './wire/open-socket.ts';
import { Pool } from './wire/pool.ts';

/** @throws CrossfadeError CONFIG_INVALID when a certificate file cannot be read or used. */
export const createPool = (origin: URL, config: ClusterConfig, options: { now: () => number; logger: Logger }): Pool =>
  new Pool({
    opener: new Opener(origin, origin.protocol === 'https:' ? clientTls(config.tls, options) : undefined),
    maxConnections: config.maxConnections,
    connectTimeoutMs: config.connectTimeoutMs,
    now: options.now,
  });
