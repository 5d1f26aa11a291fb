/**
 * Samples of mismatches of all members in one JetStream stream, for people with access to NATS. One subject per route,
 * severity and query shape, each with a bound, so that a frequent mismatch pushes out its own older samples and no other;
 * number, bytes and age are bounded over all. Nothing is decided by it, and it may be deleted at any time.
 */
import {
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  StorageType,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { isStreamMissing, toStoreError } from './nats-errors.ts';
import type { SampleKind, SampleStream } from './ports.ts';

export type NatsSamplesOptions = {
  bucket: string;
  replicas: number;
  timeoutMs: number;
  /** @throws CrossfadeError while there is no usable connection */
  connection: () => NatsConnection;
};

export const sampleLimits = {
  perSubject: 10,
  messages: 5000,
  bytes: 64 * 1024 * 1024,
  messageBytes: 512 * 1024,
  ageMs: 7 * 24 * 3600_000,
} as const;

const any = '*';

export class NatsSamples implements SampleStream {
  readonly #options: NatsSamplesOptions;
  readonly #stream: string;
  #made: NatsConnection | undefined;

  constructor(options: NatsSamplesOptions) {
    this.#options = options;
    this.#stream = `${options.bucket}_samples`;
  }

  async add(kind: SampleKind, text: string): Promise<void> {
    try {
      const connection = this.#options.connection();
      await this.#make(connection);
      await jetstream(connection, { timeout: this.#options.timeoutMs }).publish(this.#subject(kind), text);
    } catch (error) {
      this.#made = undefined;
      throw toStoreError(error, 'write');
    }
  }

  async list({ slug, ...kind }: Partial<SampleKind>): Promise<string[]> {
    try {
      const connection = this.#options.connection();
      const filter = this.#subject({ slug: any, severity: any, shape: any, ...(slug && { slug }), ...kind });
      return await this.#read(connection, filter);
    } catch (error) {
      if (isStreamMissing(error)) return [];
      throw toStoreError(error, 'read');
    }
  }

  #subject({ slug, severity, shape }: SampleKind): string {
    return `${this.#options.bucket}.samples.${slug}.${severity}.${shape}`;
  }

  #manager(connection: NatsConnection): Promise<JetStreamManager> {
    return jetstreamManager(connection, { checkAPI: false, timeout: this.#options.timeoutMs });
  }

  async #make(connection: NatsConnection): Promise<void> {
    if (this.#made === connection) return;
    const manager = await this.#manager(connection);
    try {
      await manager.streams.info(this.#stream);
    } catch (error) {
      if (!isStreamMissing(error)) throw error;
      await manager.streams.add({
        name: this.#stream,
        subjects: [this.#subject({ slug: any, severity: any, shape: any })],
        storage: StorageType.File,
        discard: DiscardPolicy.Old,
        max_msgs_per_subject: sampleLimits.perSubject,
        max_msgs: sampleLimits.messages,
        max_bytes: sampleLimits.bytes,
        max_msg_size: sampleLimits.messageBytes,
        max_age: nanos(sampleLimits.ageMs),
        num_replicas: this.#options.replicas,
      });
    }
    this.#made = connection;
  }

  async #read(connection: NatsConnection, filter: string): Promise<string[]> {
    const manager = await this.#manager(connection);
    const { state } = await manager.streams.info(this.#stream, { subjects_filter: filter });
    const waiting = Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
    if (waiting === 0) return [];
    const js = jetstream(connection, { timeout: this.#options.timeoutMs });
    const consumer = await js.consumers.get(this.#stream, {
      filter_subjects: filter,
      deliver_policy: DeliverPolicy.All,
    });
    const texts: string[] = [];
    for await (const message of await consumer.fetch({ max_messages: waiting, expires: readMs }))
      if (texts.push(message.string()) >= waiting) break;
    return texts.reverse();
  }
}

/** Samples that expire while they are read would be waited for in vain. */
const readMs = 2000;
