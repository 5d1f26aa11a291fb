/**
 * Proves on a fresh connection that servers and buckets are fit for coordination, creates what may be created, and
 * attaches the buckets. Everything is looked at again after each reconnect: it may be another server, or another bucket.
 * Invariant: a store that somebody uses is never begun anew, also when it has just lost all it had and those who use it
 * are only coming back. So whoever never had it looks twice, a beat apart, and shows no sign of life in it before it is begun.
 */
import { randomUUID } from 'node:crypto';
import { type JetStreamManager, jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import type { NatsConfig } from '../config.ts';
import { CrossfadeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Incarnation } from './incarnation.ts';
import { keys } from './keys.ts';
import type { NatsBucket } from './nats-bucket.ts';
import { isStreamMissing } from './nats-errors.ts';
import { leaseRefusal, serverRefusal } from './nats-support.ts';
import { pause, type Timers } from './timers.ts';

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
  timers: Timers;
  /** The store is closed: nothing is waited for. */
  signal: AbortSignal;
};

/** Members that lost their connection are back and have shown a sign of life by then. */
const beatMs = 2_500;

/** A bucket that routes came from is gone: an alarm, and no reason to begin anew. */
export const isVanished = (error: CrossfadeError | undefined): boolean => error?.details?.['vanished'] !== undefined;

/** @throws CrossfadeError STORE_UNSUPPORTED, STORE_UNAVAILABLE, and errors of the client */
export const inspect = async (connection: NatsConnection, options: InspectionOptions): Promise<void> => {
  const { buckets, incarnation, timeoutMs } = options;
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: timeoutMs });
  const attach = (role: Role, { info }: Found): Promise<void> =>
    buckets[role].attach(connection, { republished: republishedTo(info), timeoutMs });
  const live = await find({ connection, manager, role: 'live' }, options);
  // Signs of life go on, whatever has become of the other bucket.
  if (incarnation.pinned !== undefined) await attach('live', live);
  const config = await find({ connection, manager, role: 'config' }, options);
  const isBegun = await demandMayPin(manager, config, options);
  await attach('config', config);
  if (!isBegun) await pin(options);
  if (incarnation.pinned === undefined) await attach('live', live);
  await buckets.live.follower.look();
  await buckets.config.follower.look();
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
type Found = { info: StreamInfo; isNew: boolean };

const find = async (target: Target, options: InspectionOptions): Promise<Found> => {
  const found = await findOrCreate(target, options);
  demand(serverRefusal(versionOf(target.connection), found.info.config.num_replicas));
  demand(ttlRefusal(target.role, found.info, options));
  return found;
};

const findOrCreate = async (target: Target, options: InspectionOptions): Promise<Found> => {
  const { manager, role } = target;
  const { name } = options.buckets[role];
  try {
    return { info: await manager.streams.info(`KV_${name}`), isNew: false };
  } catch (error) {
    if (!isStreamMissing(error)) throw error;
  }
  const mayCreate = (): void => demandMayCreate(target, options);
  if (role === 'live') mayCreate();
  else await demandUnused(manager, { loss: `bucket ${name} is gone`, may: mayCreate }, options);
  await create(target, options);
  return { info: await manager.streams.info(`KV_${name}`), isNew: true };
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
  { buckets }: InspectionOptions,
): Promise<void> => {
  // All that stands there runs out within seconds, and was written by somebody who had the store.
  const { state } = await manager.streams.info(`KV_${buckets.live.name}`, {
    subjects_filter: `$KV.${buckets.live.name}.>`,
  });
  if (Object.keys(state.subjects ?? {}).length === 0) return;
  throw new CrossfadeError('STORE_UNAVAILABLE', `${loss} while members are alive: restore it, an empty one is refused`);
};

type Beginning = { loss: string; may: () => void };

/** `may` throws where nothing may be begun at all: then nobody waits. */
const demandUnused = async (
  manager: JetStreamManager,
  { loss, may }: Beginning,
  options: InspectionOptions,
): Promise<void> => {
  // Whoever has had it too says that it has vanished.
  if (options.incarnation.pinned !== undefined) return may();
  await demandNobodyUsesIt(manager, loss, options);
  may();
  await pause(options.timers, beatMs, options.signal);
  await demandNobodyUsesIt(manager, loss, options);
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

/** @returns whether there is something to pin already; false = it may be begun */
const demandMayPin = async (
  manager: JetStreamManager,
  { isNew }: Found,
  options: InspectionOptions,
): Promise<boolean> => {
  const { buckets, incarnation } = options;
  const { name } = buckets.config;
  if (incarnation.pinned !== undefined) return true;
  const query = { last_by_subj: `$KV.${name}.${keys.meta}` };
  if ((await manager.streams.getMessage(`KV_${name}`, query)) !== null) return true;
  const may = (): void => demandMayBegin(`bucket ${name} is empty`, options);
  if (!isNew) await demandUnused(manager, { loss: `bucket ${name} has lost its contents`, may }, options);
  return false;
};

/** The first member that finds no `meta` writes it; from then on the bucket has a name that no other one has. */
const pin = async ({ buckets }: InspectionOptions): Promise<void> => {
  // A conflict means that another member was first; the look that follows reads what it wrote.
  await buckets.config.update(keys.meta, JSON.stringify({ schema: 1, incarnation: randomUUID() }), 0);
};

/** The subject to listen on; undefined when the stream republishes nothing, or not its bodies. */
const republishedTo = ({ config: { republish } }: StreamInfo): string | undefined =>
  republish === undefined || republish.headers_only === true || republish.dest === '' ? undefined : republish.dest;
