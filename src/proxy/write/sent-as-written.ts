/**
 * Pure: the documents copied as they were sent, because their index had no pipeline when it was last asked. Only the next
 * answer tells whether that still held, so they are kept until then. Invariants: a document noted while a question is under
 * way is not among those that its answer settles; each is kept under the phase in which it was written, because the next
 * may have another authority.
 */
import type { DocKey, RouteState } from '../../coordination/ports.ts';

/** Some seconds' worth: more than single writes reach between two questions. */
const maxDocs = 10_000;

/** An index under one phase record. */
export type IndexAt = { readonly state: RouteState; readonly ordinal: number };
export const indexKey = ({ state, ordinal }: IndexAt): string => `${state.slug} ${state.phaseRevision} ${ordinal}`;

export class SentAsWritten {
  readonly #docs = new Map<string, DocKey[]>();

  note(index: IndexAt, docs: readonly DocKey[]): void {
    const key = indexKey(index);
    const noted = this.#docs.get(key) ?? [];
    for (const doc of docs) if (noted.length < maxDocs) noted.push(doc);
    this.#docs.set(key, noted);
  }

  has(index: IndexAt): boolean {
    return this.#docs.has(indexKey(index));
  }

  /** All noted so far of an index; the next answer is about them. */
  take(index: IndexAt): DocKey[] {
    const key = indexKey(index);
    const docs = this.#docs.get(key) ?? [];
    this.#docs.delete(key);
    return docs;
  }
}
