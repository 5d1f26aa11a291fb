/**
 * Pins the incarnation of a store: the random name that it was given when it was created. A store with another name, or
 * with none where there was one, is not the store that the routes came from, whatever it holds.
 */
import { parseRecord } from './parse-record.ts';
import { Meta } from './records.ts';

export class Incarnation {
  #pinned: string | undefined;

  constructor(expected: string | undefined) {
    this.#pinned = expected;
  }

  get pinned(): string | undefined {
    return this.#pinned;
  }

  /** A reason to refuse the store whose `meta` this is; pins it when none was pinned. */
  judge(meta: string | undefined): string | undefined {
    if (meta === undefined)
      return this.#pinned === undefined ? 'the store has no meta record' : 'the store has lost its meta record';
    const incarnation = readMeta(meta);
    return incarnation === undefined ? 'the meta record of the store cannot be read' : this.judgeName(incarnation);
  }

  judgeName(incarnation: string): string | undefined {
    this.#pinned ??= incarnation;
    return incarnation === this.#pinned
      ? undefined
      : `the store is another one (incarnation ${incarnation}, not ${this.#pinned}); the last known state stays in force`;
  }
}

const readMeta = (text: string): string | undefined => parseRecord(Meta, text)?.incarnation;
