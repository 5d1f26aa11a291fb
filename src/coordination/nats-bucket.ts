/**
 * One KV bucket as the Bucket port: writes go through the KV client, reads and listings ask the leader of the stream.
 * Invariant: an operation on a bucket that is out of reach, gone, or not the one that was pinned fails; it never answers
 * as if keys were missing.
 */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { CrossfadeError } from '../errors.ts';
import { casFailure, isConflict, toStoreError } from './nats-errors.ts';
import { type FollowerOptions, NatsFollower } from './nats-follower.ts';
import { NatsStreamReader } from './nats-stream-reader.ts';
import type { Bucket, CasResult, Change, Entry, Reach } from './ports.ts';

type Link = { kv: KV; reader: NatsStreamReader };

export class NatsBucket implements Bucket {
  readonly name: string;
  readonly follower: NatsFollower;
  #link: Link | undefined;

  constructor(name: string, options: FollowerOptions) {
    this.name = name;
    this.follower = new NatsFollower(options);
  }

  /** Begins to use the bucket through this connection. `republished`: where its stream republishes to. */
  async attach(
    connection: NatsConnection,
    options: { republished: string | undefined; timeoutMs: number },
  ): Promise<void> {
    const { republished, timeoutMs } = options;
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: timeoutMs });
    const kv = await new Kvm(jetstream(connection, { timeout: timeoutMs })).open(this.name, { allow_direct: false });
    const reader = new NatsStreamReader(this.name, manager);
    this.#link = { kv, reader };
    this.follower.attach({ connection, reader, republished });
  }

  detach(): void {
    this.#link = undefined;
    this.follower.detach();
  }

  async get(key: string): Promise<Entry | undefined> {
    const { reader } = this.#ready();
    try {
      const message = await reader.last(key);
      // A missing key means something only in a bucket that is proven to be the right one.
      if (message === undefined) await this.follower.look();
      return message?.value === undefined ? undefined : { key, value: message.value, revision: message.revision };
    } catch (error) {
      throw toStoreError(error, 'read', this.name);
    }
  }

  async list(prefix: string): Promise<Entry[]> {
    await this.follower.look();
    return this.follower.entries(prefix);
  }

  async put(key: string, value: string): Promise<number> {
    const { kv } = this.#ready();
    try {
      return await kv.put(key, value);
    } catch (error) {
      throw toStoreError(error, 'write', this.name);
    }
  }

  async update(key: string, value: string, expected: number): Promise<CasResult> {
    try {
      const { kv } = this.#ready();
      // `create` also follows a delete marker, whose revision nobody knows by heart.
      const revision = expected === 0 ? await kv.create(key, value) : await kv.update(key, value, expected);
      return { ok: true, revision };
    } catch (error) {
      return { ok: false, reason: casFailure(error) };
    }
  }

  async delete(key: string, expected?: number): Promise<void> {
    const { kv } = this.#ready();
    try {
      await kv.delete(key, expected === undefined ? {} : { previousSeq: expected });
    } catch (error) {
      if (isConflict(error)) throw new CrossfadeError('STORE_CONFLICT', undefined, { cause: error });
      throw toStoreError(error, 'write', this.name);
    }
  }

  async erase(key: string): Promise<void> {
    await this.delete(key);
    const { reader } = this.#ready();
    try {
      const marker = await reader.last(key);
      if (marker?.value === undefined && marker !== undefined) await reader.purge(key, marker.revision);
    } catch (error) {
      throw toStoreError(error, 'write', this.name);
    }
  }

  reach(): Reach {
    return this.follower.reach;
  }

  subscribe(listener: (change: Change) => void): () => void {
    return this.follower.subscribe(listener);
  }

  #ready(): Link {
    const { refusal } = this.follower;
    if (refusal !== undefined || this.#link === undefined) throw new CrossfadeError('STORE_UNAVAILABLE', refusal);
    return this.#link;
  }
}
