/**
 * A cluster as one use of it sees it. main makes several for the same cluster (client traffic, copies, shadow reads), so
 * that background work can never take the connections of the application.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterConfig } from '../config.ts';
import type { Side } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { bufferedTransport } from './buffered.ts';
import { type ClusterUse, createCredentials } from './credentials.ts';
import { Deadlines } from './deadlines.ts';
import { Exchange, type ExchangeContext } from './exchange.ts';
import type { HeaderPairs } from './header-pairs.ts';
import { defaultOriginTimes, Origins, type OriginTimes } from './origins.ts';
import { createPool } from './pools.ts';
import type { Signer } from './sigv4.ts';
import type { AnswerSink, Cluster, StreamRequest } from './types.ts';
import { fixedLinesOf } from './wire/request-head.ts';

export type ClusterOptions = {
  /** Decides the default of passClientCredentials. */
  side: Side;
  /** As in CredentialOptions. */
  use?: ClusterUse;
  logger: Logger;
  /** Bodies that must be held to be signed. */
  maxBodyBytes?: number;
  now?: () => number;
  originTimes?: OriginTimes;
};

/** `prefix` as in UpstreamUrl. */
type Target = { origin: URL; prefix: string };

const targetOf = (text: string): Target => {
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new CrossfadeError('CONFIG_INVALID', 'A cluster URL holds scheme, host, port and path only.');
  return { origin: new URL(url.origin), prefix: url.pathname.replace(/\/+$/, '') };
};

/** @throws CrossfadeError BODY_TOO_LARGE, or what the body throws. */
const held = async (body: StreamRequest['body'], maxBytes: number): Promise<Buffer | null> => {
  if (body === null || Buffer.isBuffer(body)) return body;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new CrossfadeError('BODY_TOO_LARGE');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

type Signing = { exchange: Exchange; request: StreamRequest; headers: HeaderPairs; target: Target; maxBytes: number };

const beginSigned = async (sign: Signer, { exchange, request, headers, target, maxBytes }: Signing): Promise<void> => {
  const { origin, prefix } = target;
  try {
    const body = await held(request.body, maxBytes);
    const signed = await sign({ method: request.method, path: prefix + request.path, body }, origin);
    exchange.begin(signed.path.slice(prefix.length), [...headers, ...signed.headers], body);
  } catch (cause) {
    exchange.fail(
      cause instanceof CrossfadeError ? cause : new CrossfadeError('INTERNAL', 'Signing failed.', { cause }),
    );
  }
};

const watchReachability =
  (logger: Logger, side: Side, urls: readonly URL[]): ExchangeContext['onReachable'] =>
  (index, reachable, err) => {
    const fields = { side, url: urls[index]?.origin };
    if (reachable) logger.info(fields, 'cluster URL answers again');
    else logger.warn({ ...fields, err }, 'cluster URL does not answer');
  };

/** @throws CrossfadeError CONFIG_INVALID when a URL, secret or certificate cannot be used. */
export const createCluster = (config: ClusterConfig, options: ClusterOptions): Cluster => {
  const { side, logger, now = () => performance.now(), maxBodyBytes = 100 * 1024 * 1024 } = options;
  const credentials = createCredentials(config, { side, logger, use: options.use });
  const targets = config.url.map(targetOf);
  const urls = targets.map(({ origin }) => origin);
  if (config.tls?.verify === false) logger.warn({ side }, 'TLS certificates of this cluster are not verified');
  if (credentials.sign !== undefined && targets.length > 1)
    throw new CrossfadeError('CONFIG_INVALID', 'sigv4 signs the host, so it needs exactly one URL.');
  const context: ExchangeContext = {
    urls: targets.map(({ origin, prefix }) => ({
      name: `the ${side} cluster (${origin.origin})`,
      pool: createPool(origin, config, { now, logger }),
      prefix,
      fixedLines: fixedLinesOf(origin.host),
    })),
    origins: new Origins(targets.length, options.originTimes ?? defaultOriginTimes),
    now,
    deadlines: new Deadlines(config.requestTimeoutMs),
    onReachable: watchReachability(logger, side, urls),
  };
  const stream = (request: StreamRequest, sink: AnswerSink): Exchange => {
    const exchange = new Exchange(context, request, sink);
    const headers = credentials.apply(request.headers, request.ownAccount);
    if (credentials.sign === undefined) exchange.begin(request.path, headers, request.body);
    else {
      const target = targets[0] as Target;
      void beginSigned(credentials.sign, { exchange, request, headers, target, maxBytes: maxBodyBytes });
    }
    return exchange;
  };
  const close = async (graceMs = 0): Promise<void> => {
    const closing = Promise.all(context.urls.map(({ pool }) => pool.close()));
    await Promise.race([closing, delay(graceMs, undefined, { ref: false })]);
    for (const { pool } of context.urls) pool.destroy();
  };
  return { transport: bufferedTransport(stream), stream, close };
};
