/**
 * The chunks of a route's backfill as a JetStream work-queue stream with one durable pull consumer that all processes
 * share. A chunk that is not acknowledged in time comes again, so chunks must be idempotent. No deduplication is asked
 * for: a purged queue may be filled again with the same chunks at once.
 */
import {
  AckPolicy,
  type Consumer,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamState,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import * as z from 'zod';
import { mapConcurrent } from './map-concurrent.ts';
import { isStreamMissing, toStoreError } from './nats-errors.ts';
import type { Chunk, ChunkDelivery, WorkQueue } from './ports.ts';

export type NatsWorkQueueOptions = {
  bucket: string;
  slug: string;
  replicas: number;
  timeoutMs: number;
  ackWaitMs: number;
  /** @throws CrossfadeError while there is no usable connection */
  connection: () => NatsConnection;
};

const ChunkRecord = z.strictObject({ index: z.int(), shard: z.int(), fromSeq: z.int(), toSeq: z.int() });
const durable = 'workers';
/** The client allows no shorter pull. */
const leastWaitMs = 1_000;
const maxChunks = 1_000_000;

export class NatsWorkQueue implements WorkQueue {
  readonly #options: NatsWorkQueueOptions;
  readonly #stream: string;
  readonly #subject: string;
  #opened: { connection: NatsConnection; consumer: Promise<Consumer> } | undefined;

  constructor(options: NatsWorkQueueOptions) {
    this.#options = options;
    this.#stream = `${options.bucket}_work_${options.slug}`;
    this.#subject = `${options.bucket}.work.${options.slug}`;
  }

  async add(chunks: Chunk[]): Promise<void> {
    await this.#ask('write', async (connection) => {
      await this.#consumer(connection);
      const js = jetstream(connection, { timeout: this.#options.timeoutMs });
      await mapConcurrent(chunks, 64, (chunk) => js.publish(this.#subject, JSON.stringify(chunk)));
    });
  }

  /** Waits at least one second when there is nothing to do. */
  async next(waitMs: number): Promise<ChunkDelivery | undefined> {
    return await this.#ask('read', async (connection) => {
      const consumer = await this.#consumer(connection);
      const message = await consumer.next({ expires: Math.max(leastWaitMs, waitMs) });
      return message === null ? undefined : await this.#delivery(message);
    });
  }

  /** A stream that was made anew, or that a server lost the end of, has not given out the number of the mark. */
  async remaining(mark = 0): Promise<number | undefined> {
    const { messages, last_seq } = (await this.#extent()) ?? { messages: 0, last_seq: 0 };
    return last_seq < mark ? undefined : messages;
  }

  async mark(): Promise<number> {
    return (await this.#extent())?.last_seq ?? 0;
  }

  /** Undefined while there is no stream. */
  async #extent(): Promise<StreamState | undefined> {
    return await this.#ask('read', async (connection) => {
      const manager = await this.#manager(connection);
      try {
        return (await manager.streams.info(this.#stream)).state;
      } catch (error) {
        if (isStreamMissing(error)) return undefined;
        throw error;
      }
    });
  }

  async purge(mark: number): Promise<void> {
    await this.#ask('write', async (connection) => {
      const manager = await this.#manager(connection);
      try {
        await manager.streams.purge(this.#stream, { seq: mark + 1 });
      } catch (error) {
        if (!isStreamMissing(error)) throw error;
      }
    });
  }

  async #delivery(message: JsMsg): Promise<ChunkDelivery | undefined> {
    const chunk = readChunk(message);
    if (chunk === undefined) {
      message.term('not a chunk');
      return undefined;
    }
    return {
      chunk,
      deliveries: message.info.deliveryCount,
      ack: () => this.#ask('write', async () => void (await message.ackAck({ timeout: this.#options.timeoutMs }))),
      retry: async (delayMs) => message.nak(delayMs),
      working: () => message.working(),
    };
  }

  /** A deleted stream or consumer is created again at the next call. */
  async #ask<T>(access: 'read' | 'write', work: (connection: NatsConnection) => Promise<T>): Promise<T> {
    try {
      return await work(this.#options.connection());
    } catch (error) {
      this.#opened = undefined;
      throw toStoreError(error, access);
    }
  }

  #manager(connection: NatsConnection): Promise<JetStreamManager> {
    return jetstreamManager(connection, { checkAPI: false, timeout: this.#options.timeoutMs });
  }

  #consumer(connection: NatsConnection): Promise<Consumer> {
    if (this.#opened?.connection !== connection) {
      const consumer = this.#open(connection);
      consumer.catch(() => undefined);
      this.#opened = { connection, consumer };
    }
    return this.#opened.consumer;
  }

  async #open(connection: NatsConnection): Promise<Consumer> {
    const { timeoutMs, replicas } = this.#options;
    const manager = await this.#manager(connection);
    try {
      await manager.streams.info(this.#stream);
    } catch (error) {
      if (!isStreamMissing(error)) throw error;
      await manager.streams.add({
        name: this.#stream,
        subjects: [this.#subject],
        retention: RetentionPolicy.Workqueue,
        storage: StorageType.File,
        // Overflow is an error of `add`, never a chunk lost in silence.
        discard: DiscardPolicy.New,
        max_msgs: maxChunks,
        num_replicas: replicas,
      });
    }
    await this.#addConsumer(manager);
    return await jetstream(connection, { timeout: timeoutMs }).consumers.get(this.#stream, durable);
  }

  async #addConsumer(manager: JetStreamManager): Promise<void> {
    try {
      await manager.consumers.add(this.#stream, {
        durable_name: durable,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
        ack_wait: nanos(this.#options.ackWaitMs),
        max_ack_pending: 10_000,
      });
    } catch (error) {
      if (!(error instanceof JetStreamApiError && error.code === consumerExists)) throw error;
    }
  }
}

/** Somebody else added it with other settings; theirs hold until the consumer is deleted. */
const consumerExists = 10148;

const readChunk = (message: JsMsg): Chunk | undefined => {
  try {
    return ChunkRecord.safeParse(message.json()).data;
  } catch {
    return undefined;
  }
};
