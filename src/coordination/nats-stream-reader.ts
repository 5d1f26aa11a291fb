/**
 * Reads one bucket's stream as its leader has it, turns messages into plain values, and removes markers. Direct gets are
 * never used: they may be answered by a replica that lags behind.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import type { Extent, Push, StoredMessage } from './bucket-mirror.ts';
import { mapConcurrent } from './map-concurrent.ts';

const deleteOperations: readonly string[] = ['DEL', 'PURGE'];

const stored = (
  headers: MsgHdrs | undefined,
  message: { key: string; revision: number; data: Uint8Array },
): StoredMessage => {
  const { key, revision, data } = message;
  // Headers that are not there read as empty.
  if (headers?.get('Nats-Marker-Reason')) return { key, revision, value: undefined, expired: true };
  if (deleteOperations.includes(headers?.get('KV-Operation') ?? '')) return { key, revision, value: undefined };
  return { key, revision, value: Buffer.from(data).toString('utf8') };
};

export class NatsStreamReader {
  readonly bucket: string;
  readonly stream: string;
  readonly #prefix: string;
  readonly #manager: JetStreamManager;

  constructor(bucket: string, manager: JetStreamManager) {
    this.bucket = bucket;
    this.stream = `KV_${bucket}`;
    this.#prefix = `$KV.${bucket}.`;
    this.#manager = manager;
  }

  async extent(): Promise<Extent> {
    const { created, state } = await this.#manager.streams.info(this.stream);
    return { created, lastRevision: state.last_seq, keys: state.num_subjects ?? 0 };
  }

  async last(key: string): Promise<StoredMessage | undefined> {
    return this.#stored(await this.#manager.streams.getMessage(this.stream, { last_by_subj: this.#prefix + key }));
  }

  /** Every message after `after` up to `upTo` that is still there, in order. */
  async walk(after: number, upTo: number): Promise<StoredMessage[]> {
    const messages: StoredMessage[] = [];
    for (let seq = after + 1; seq <= upTo;) {
      const query = { seq, next_by_subj: `${this.#prefix}>` };
      const message = this.#stored(await this.#manager.streams.getMessage(this.stream, query));
      if (message === undefined || message.revision > upTo) break;
      messages.push(message);
      seq = message.revision + 1;
    }
    return messages;
  }

  /** All keys that the stream holds, deleted ones with a marker included, and the last revision at that moment. */
  async keys(): Promise<{ keys: Set<string>; lastRevision: number }> {
    const { state } = await this.#manager.streams.info(this.stream, { subjects_filter: `${this.#prefix}>` });
    const subjects = Object.keys(state.subjects ?? {});
    return {
      keys: new Set(subjects.map((subject) => subject.slice(this.#prefix.length))),
      lastRevision: state.last_seq,
    };
  }

  /** The last message of every key. */
  async all(): Promise<StoredMessage[]> {
    const { keys } = await this.keys();
    const messages = await mapConcurrent([...keys], 32, (key) => this.last(key));
    return messages.filter((message) => message !== undefined);
  }

  /** Removes what a key has up to `through`, its delete marker for one. */
  async purge(key: string, through: number): Promise<void> {
    await this.#manager.streams.purge(this.stream, { filter: this.#prefix + key, seq: through + 1 });
  }

  /** A republished message; undefined when it is none of this stream's, or carries no body. */
  push(message: Msg): Push | undefined {
    const { headers } = message;
    const subject = headers?.get('Nats-Subject') ?? '';
    const revision = Number(headers?.get('Nats-Sequence'));
    if (headers?.get('Nats-Stream') !== this.stream || !subject.startsWith(this.#prefix)) return undefined;
    if (!Number.isSafeInteger(revision) || revision < 1) return undefined;
    const previous = headers.get('Nats-Last-Sequence');
    const key = subject.slice(this.#prefix.length);
    return {
      ...stored(headers, { key, revision, data: message.data }),
      previous: previous === '' ? undefined : Number(previous),
    };
  }

  #stored(message: StoredMsg | null): StoredMessage | undefined {
    if (message === null) return undefined;
    const key = message.subject.slice(this.#prefix.length);
    return stored(message.header, { key, revision: message.seq, data: message.data });
  }
}
