/**
 * Samples of mismatches of all members in one JetStream stream, for people with access to NATS. One subject per route,
 * severity and query shape, each with a bound, so that a frequent mismatch pushes out its own older samples and no other;
 * number, bytes and age are bounded over all. Nothing is decided by it, and it may be deleted at any time.
 */
import {
  DiscardPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  StorageType,
  type StoredMsg,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { mapConcurrent } from './map-concurrent.ts';
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
    const { streams } = await this.#manager(connection);
    const { state } = await streams.info(this.#stream, { subjects_filter: filter });
    const found = await mapConcurrent(Object.keys(state.subjects ?? {}), atOnce, (subject) =>
      this.#all(streams, subject),
    );
    const newestFirst = found.flat().toSorted((a, b) => b.seq - a.seq);
    return newestFirst.map((message) => message.string());
  }

  /** One by one, without a consumer: who may look must not need the right to make something. */
  async #all(streams: JetStreamManager['streams'], subject: string): Promise<StoredMsg[]> {
    const messages: StoredMsg[] = [];
    for (let seq = 1; messages.length < sampleLimits.perSubject;) {
      const query = { seq, next_by_subj: subject };
      const message = await streams.getMessage(this.#stream, query);
      if (message === null) break;
      messages.push(message);
      seq = message.seq + 1;
    }
    return messages;
  }
}

/** Subjects that are read at the same time. */
const atOnce = 32;
