/**
 * Pure: the documents copied as they were sent, because their index had no pipeline when it was last asked. Only the next
 * answer tells whether that still held, so they are kept until then. Invariant: a document noted while a question is under
 * way is not among those that its answer settles.
 */
import type { DocKey } from '../../coordination/ports.ts';

/** Some seconds' worth: more than single writes reach between two questions. */
const maxDocs = 10_000;

export class SentAsWritten {
  readonly #docs = new Map<string, DocKey[]>();

  note(doc: DocKey): void {
    const index = `${doc.slug} ${doc.ordinal}`;
    const docs = this.#docs.get(index) ?? [];
    if (docs.length < maxDocs) docs.push(doc);
    this.#docs.set(index, docs);
  }

  /** All noted so far of an index; the next answer is about them. */
  take(slug: string, ordinal: number): DocKey[] {
    const index = `${slug} ${ordinal}`;
    const docs = this.#docs.get(index) ?? [];
    this.#docs.delete(index);
    return docs;
  }
}
