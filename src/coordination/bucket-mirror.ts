/**
 * A member's copy of one bucket: every key's last message, and the revision up to which nothing is missing. Decides which
 * pushed messages may be believed at once and what must be fetched from the leader of the stream.
 * Invariants: a push is applied only if it continues the copy without a gap, in the stream and in its key, so a lost or
 * foreign message leads to a fetch and never to a wrong value; per key, revisions only grow until the whole copy is
 * replaced.
 */
import type { Change, Entry } from './ports.ts';

/** One message of the stream. `value` undefined = a delete, purge or expiry marker. */
export type StoredMessage = { key: string; revision: number; value: string | undefined; expired?: boolean };
/** A message as republished: with the revision that its key had before; undefined when the server does not tell. */
export type Push = StoredMessage & { previous: number | undefined };
/** How far the stream reaches, as its leader says. */
export type Extent = { created: string; lastRevision: number; keys: number };

/** same: nothing to fetch. walk: fetch the messages after `after`. reload: fetch everything. */
export type Catchup = { kind: 'same' } | { kind: 'walk'; after: number } | { kind: 'reload'; lostWrites: boolean };

/** More messages than this are cheaper to load as the last value of each key. */
const maxWalk = 300;

export class BucketMirror {
  readonly #known = new Map<string, StoredMessage>();
  #created: string | undefined;
  #cursor = 0;
  /** False from a gap or a lost connection until the next catch-up: pushes are not believed meanwhile. */
  #continuous = false;
  /** False until a copy was made of the stream as it is now. */
  #proven = false;

  get cursor(): number {
    return this.#cursor;
  }

  interrupt(): void {
    this.#continuous = false;
  }

  /** The stream may have lost its end and grown again since: its length proves nothing. */
  doubt(): void {
    this.#continuous = false;
    this.#proven = false;
  }

  /** The change to tell, or `fetch` when the leader must be asked; undefined when it was known already. */
  push(message: Push): Change | 'fetch' | undefined {
    const known = this.#known.get(message.key);
    if (known?.revision === message.revision && known.value === message.value) return undefined;
    const follows = message.revision === this.#cursor + 1;
    const chained = message.previous === undefined || message.previous === (known?.revision ?? 0);
    if (!this.#continuous || !follows || !chained) {
      this.#continuous = false;
      return 'fetch';
    }
    return this.#take(message);
  }

  /** `askedAt`: the cursor when the extent was asked for; pushes that came since are newer than the answer, not lost. */
  catchup(extent: Extent, askedAt: number = this.#cursor): Catchup {
    const lostWrites = extent.lastRevision < askedAt;
    // A backup that is put back is a stream made anew.
    if (lostWrites || !this.#proven || this.#created !== extent.created) return { kind: 'reload', lostWrites };
    if (extent.lastRevision < this.#cursor) return { kind: 'same' };
    if (extent.lastRevision - this.#cursor > maxWalk) return { kind: 'reload', lostWrites: false };
    if (extent.lastRevision > this.#cursor) return { kind: 'walk', after: this.#cursor };
    this.#continuous = true;
    return { kind: 'same' };
  }

  /**
   * Some messages of the range are not there any more: replaced, perhaps only while the others were fetched, by ones that
   * lie beyond it.
   */
  static isPartial(messages: readonly StoredMessage[], range: { after: number; upTo: number }): boolean {
    return messages.length < range.upTo - range.after;
  }

  /** Messages after the cursor in stream order, up to `upTo` inclusive. */
  walked(messages: readonly StoredMessage[], upTo: number): Change[] {
    const news = messages.filter(
      ({ key, revision }) => revision > this.#cursor && revision > (this.#known.get(key)?.revision ?? 0),
    );
    const changes = news.map((message) => this.#take(message));
    this.#cursor = Math.max(this.#cursor, upTo);
    this.#continuous = true;
    return changes;
  }

  /** More keys are known than the stream holds: some ran out or were purged away. */
  hasVanished(extent: Extent): boolean {
    return this.#known.size > extent.keys;
  }

  /** The stream holds more keys than are known, though all of its messages were fetched. */
  lacksKeys(extent: Extent): boolean {
    return this.#known.size < extent.keys;
  }

  /** `present`: every key of the stream at `lastRevision`. Keys written later are left alone. */
  vanished(present: ReadonlySet<string>, lastRevision: number): Change[] {
    const gone = [...this.#known.values()].filter(({ key, revision }) => revision <= lastRevision && !present.has(key));
    return gone.flatMap(({ key, value }) => {
      this.#known.delete(key);
      return value === undefined ? [] : [{ key, value: undefined, revision: lastRevision, expired: true }];
    });
  }

  /** Messages stand where the copy, which was complete up to `askedAt`, has others. */
  isContradictedBy(messages: readonly StoredMessage[], askedAt: number): boolean {
    return messages.some(({ key, revision, value }) => {
      const known = this.#known.get(key);
      const isSame = known?.revision === revision && known.value === value;
      return revision <= askedAt && !isSame && (known?.revision ?? 0) <= askedAt;
    });
  }

  /** The last revision that is in the copy and among these messages, unchanged. */
  kept(messages: readonly StoredMessage[]): number {
    const isKept = ({ key, revision, value }: StoredMessage): boolean => {
      const known = this.#known.get(key);
      return known?.revision === revision && known.value === value;
    };
    return Math.max(0, ...messages.filter(isKept).map(({ revision }) => revision));
  }

  /** Replaces the copy by the last message of every key and tells the differences. */
  reload(messages: readonly StoredMessage[], extent: Extent): Change[] {
    const before = new Map(this.#known);
    this.#known.clear();
    this.#created = extent.created;
    this.#proven = true;
    this.#cursor = extent.lastRevision;
    this.#continuous = false;
    const changes: Change[] = [];
    for (const message of messages) {
      const known = before.get(message.key);
      before.delete(message.key);
      this.#known.set(message.key, message);
      if (known?.revision !== message.revision || known.value !== message.value) changes.push(changeOf(message));
    }
    for (const { key, value } of before.values())
      if (value !== undefined) changes.push({ key, value: undefined, revision: extent.lastRevision, expired: true });
    return changes;
  }

  /** Keys that were deleted, as far as the stream still tells. */
  deletions(): Change[] {
    return [...this.#known.values()].filter(({ value }) => value === undefined).map(changeOf);
  }

  entries(prefix: string): Entry[] {
    return [...this.#known.values()].flatMap(({ key, value, revision }) =>
      value !== undefined && key.startsWith(prefix) ? [{ key, value, revision }] : [],
    );
  }

  #take(message: StoredMessage): Change {
    this.#known.set(message.key, message);
    this.#cursor = Math.max(this.#cursor, message.revision);
    return changeOf(message);
  }
}

const changeOf = ({ key, value, revision, expired }: StoredMessage): Change => ({
  key,
  value,
  revision,
  ...(expired === true ? { expired } : {}),
});
