/**
 * Proves on a fresh connection that servers and buckets are fit for coordination, creates what may be created, and
 * attaches the buckets. Everything is looked at again after each reconnect: it may be another server, or another bucket.
 */
import { randomUUID } from 'node:crypto';
import { type JetStreamManager, jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import type { NatsConfig } from '../config.ts';
import { CrossfadeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Incarnation } from './incarnation.ts';
import { heartbeatPrefix, keys } from './keys.ts';
import type { NatsBucket } from './nats-bucket.ts';
import { isStreamMissing } from './nats-errors.ts';
import { leaseRefusal, serverRefusal } from './nats-support.ts';

export type Role = 'config' | 'live';
export type InspectionOptions = {
  config: NatsConfig;
  buckets: Record<Role, NatsBucket>;
  incarnation: Incarnation;
  /** False for whoever only looks: a store that nobody has begun is then out of reach, not empty. */
  mayBegin: boolean;
  liveTtlMs: number;
  timeoutMs: number;
  logger: Logger;
};

/** A bucket that routes came from is gone: an alarm, and no reason to begin anew. */
export const isVanished = (error: CrossfadeError | undefined): boolean => error?.details?.['vanished'] !== undefined;

/** @throws CrossfadeError STORE_UNSUPPORTED, STORE_UNAVAILABLE, and errors of the client */
export const inspect = async (connection: NatsConnection, options: InspectionOptions): Promise<void> => {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: options.timeoutMs });
  for (const role of ['live', 'config'] as const) {
    const info = await findOrCreate({ connection, manager, role }, options);
    demand(serverRefusal(versionOf(connection), info.config.num_replicas));
    demand(ttlRefusal(role, info, options));
    await options.buckets[role].attach(connection, { republished: republishedTo(info), timeoutMs: options.timeoutMs });
  }
  await pin(manager, options);
  await options.buckets.live.follower.look();
  await options.buckets.config.follower.look();
};

const versionOf = (connection: NatsConnection): string => connection.info?.version ?? '';

const demand = (refusal: string | undefined): void => {
  if (refusal !== undefined) throw new CrossfadeError('STORE_UNSUPPORTED', refusal);
};

const ttlRefusal = (role: Role, info: StreamInfo, { buckets, liveTtlMs }: InspectionOptions): string | undefined => {
  const ttlMs = info.config.max_age / 1e6;
  const bucket = buckets[role].name;
  if (role === 'live') return leaseRefusal({ bucket, ttlMs }, liveTtlMs);
  return ttlMs > 0 ? `bucket ${bucket} has a TTL and would forget its routes` : undefined;
};

type Target = { connection: NatsConnection; manager: JetStreamManager; role: Role };

const findOrCreate = async (target: Target, options: InspectionOptions): Promise<StreamInfo> => {
  const { name } = options.buckets[target.role];
  try {
    return await target.manager.streams.info(`KV_${name}`);
  } catch (error) {
    if (!isStreamMissing(error)) throw error;
  }
  if (target.role === 'config') await demandNobodyUsesIt(target.manager, `bucket ${name} is gone`, options);
  demandMayCreate(target, options);
  await create(target, options);
  return await target.manager.streams.info(`KV_${name}`);
};

const demandMayCreate = ({ connection, role }: Target, options: InspectionOptions): void => {
  const { buckets, config, incarnation } = options;
  const { name } = buckets[role];
  // Creating it anew would show every route as never having been set.
  if (role === 'config' && incarnation.pinned !== undefined)
    throw new CrossfadeError('STORE_UNAVAILABLE', `bucket ${name} has vanished; the last known state stays in force`, {
      details: { vanished: name },
    });
  demandMayBegin(`bucket ${name} does not exist`, options);
  if (!config.createBuckets)
    throw new CrossfadeError('STORE_UNAVAILABLE', `bucket ${name} does not exist and nats.createBuckets is off`);
  demand(serverRefusal(versionOf(connection), config.replicas));
};

const demandMayBegin = (finding: string, { mayBegin }: InspectionOptions): void => {
  if (mayBegin) return;
  const reason = `${finding}: no agent has used it yet, or nats.servers or nats.bucket should name another one`;
  throw new CrossfadeError('STORE_UNAVAILABLE', reason);
};

/** Members that are alive have had this bucket: whoever comes newly must not give them an empty one for it. */
const demandNobodyUsesIt = async (
  manager: JetStreamManager,
  loss: string,
  options: InspectionOptions,
): Promise<void> => {
  const { buckets, incarnation } = options;
  // Whoever has had it too says that it has vanished.
  if (incarnation.pinned !== undefined) return;
  const subjects_filter = `$KV.${buckets.live.name}.${heartbeatPrefix}>`;
  const { state } = await manager.streams.info(`KV_${buckets.live.name}`, { subjects_filter });
  if (Object.keys(state.subjects ?? {}).length === 0) return;
  throw new CrossfadeError('STORE_UNAVAILABLE', `${loss} while members are alive: restore it, an empty one is refused`);
};

const create = async ({ connection, role }: Target, options: InspectionOptions): Promise<void> => {
  const { config, buckets, liveTtlMs, logger } = options;
  const { name } = buckets[role];
  await new Kvm(connection).create(name, {
    replicas: config.replicas,
    republish: { src: `$KV.${name}.>`, dest: `${name}.evt.>` },
    ...(role === 'config' ? { history: 32 } : { history: 1, ttl: liveTtlMs }),
  });
  logger.info({ bucket: name, replicas: config.replicas }, 'bucket created');
};

/** The first member that finds no `meta` writes it; from then on the bucket has a name that no other one has. */
const pin = async (manager: JetStreamManager, options: InspectionOptions): Promise<void> => {
  const { buckets, incarnation } = options;
  const { name } = buckets.config;
  if (incarnation.pinned !== undefined) return;
  const query = { last_by_subj: `$KV.${name}.${keys.meta}` };
  if ((await manager.streams.getMessage(`KV_${name}`, query)) !== null) return;
  await demandNobodyUsesIt(manager, `bucket ${name} has lost its contents`, options);
  demandMayBegin(`bucket ${name} is empty`, options);
  // A conflict means that another member was first; the look that follows reads what it wrote.
  await buckets.config.update(keys.meta, JSON.stringify({ schema: 1, incarnation: randomUUID() }), 0);
};

/** The subject to listen on; undefined when the stream republishes nothing, or not its bodies. */
const republishedTo = ({ config: { republish } }: StreamInfo): string | undefined =>
  republish === undefined || republish.headers_only === true || republish.dest === '' ? undefined : republish.dest;
