/**
 * Pins the incarnation of a store: the random name that it was given when it was created. A store with another name, or
 * with none where there was one, is not the store that the routes came from, whatever it holds.
 * Invariant: the name itself, which members also use as a key of hashes, is told to nobody outside the store.
 */
import { bucketOf } from './bucket.ts';
import { parseRecord } from './parse-record.ts';
import type { StoreStatus } from './ports.ts';
import { Meta } from './records.ts';

/** Tells incarnations apart for people, and says too little of one to be used for it. */
export const nickname = (incarnation: string): string => bucketOf('incarnation', incarnation).toString(36);

/** A status as it may be shown and logged. */
export const shownStatus = (status: StoreStatus): StoreStatus => ({
  ...status,
  incarnation: status.incarnation === undefined ? undefined : nickname(status.incarnation),
});

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
      : `the store is another one (incarnation ${nickname(incarnation)}, not ${nickname(this.#pinned)}); the last known state stays in force`;
  }
}

const readMeta = (text: string): string | undefined => parseRecord(Meta, text)?.incarnation;
