/**
 * The list of documents that the follower refused the leader's tail, and beside it those of all other owners: taken over
 * from the leader before, tried again every now and then, shown in the status. Invariant: the list is saved before the
 * cursor that has passed a refused document, so that no document is ever passed and forgotten; and only over the list that
 * this leader knows, so that one that was succeeded without knowing it breaks instead of putting its own in the place of
 * its successor's.
 */
import type { Bucket } from '../../coordination/ports.ts';
import { createQuarantine, emptyQuarantine, isEmpty, type Quarantine, type QuarantineRecord } from '../quarantine.ts';
import { isDue, type Lists } from '../quarantine-overflow.ts';
import {
  clearQuarantines,
  type KeptQuarantine,
  loadQuarantines,
  saveQuarantine,
  tailOwner,
} from '../quarantine-store.ts';
import type { RepairIo } from '../repair.ts';
import { retryQuarantined } from '../route-repair.ts';
import type { Runtime } from '../runtime.ts';

export type LeaderQuarantineDeps = { slug: string; bucket: Bucket; runtime: Runtime };
export interface LeaderQuarantine {
  /** What the tail adds to. */
  own(): Quarantine;
  /** The tail's list and those of the backfill, as last kept. */
  records(): readonly QuarantineRecord[];
  refusesAny(): boolean;
  /** A new backfill meets every document again. `ours` fails for a leader that has been succeeded. */
  clear(ours: () => Promise<void>): Promise<void>;
  /** The tail has passed the documents of this list, so it must outlive the leader that saw them refused. */
  takeOver(): Promise<void>;
  save(): Promise<void>;
  /** Saves, and reads those of the others. */
  keep(): Promise<void>;
  /**
   * Documents that were deleted since, or whose refusal had a cause that is mended, leave the lists. Takes seconds at most,
   * whatever the clusters do: what it did not come to is first the next time.
   */
  retry(io: () => Promise<RepairIo>, signal: AbortSignal): Promise<void>;
  /** Where nothing listed is left and some were only counted: `moveBack` lets the tail meet these again, before the count is dropped. */
  meetAgain(moveBack: (lists: Lists) => Promise<void>): Promise<void>;
}

const retryMs = 15_000;
/** Nothing more is begun then. */
const retryForMs = 3_000;
/** No part of a list takes so long: a cluster hangs. */
const hungMs = 5_000;
/** By owner, the ones behind the last that was tried first. */
const rotated = <T>(lists: readonly (readonly [string, T])[], last: string) => {
  const sorted = lists.toSorted(([one], [two]) => (one < two ? -1 : 1));
  const isBehind = ([owner]: readonly [string, T]): boolean => owner > last;
  return [...sorted.filter(isBehind), ...sorted.filter((list) => !isBehind(list))];
};

export const createLeaderQuarantine = ({ slug, bucket, runtime }: LeaderQuarantineDeps): LeaderQuarantine => {
  let own = createQuarantine();
  let records: QuarantineRecord[] = [];
  let saved = JSON.stringify(emptyQuarantine);
  /** Of the list that stands in the store; undefined until it was taken over. */
  let revision: number | undefined;
  let retriedAtMs = Number.NEGATIVE_INFINITY;
  let retriedLast = '';

  const save = async (): Promise<void> => {
    const record = own.record();
    const text = JSON.stringify(record);
    if (text === saved) return;
    revision = await saveQuarantine(bucket, { slug, owner: tailOwner, over: revision }, record);
    saved = text;
  };
  const others = async (): Promise<[string, KeptQuarantine][]> =>
    [...(await loadQuarantines(bucket, slug))].filter(([owner]) => owner !== tailOwner);
  type Retry = { repair: RepairIo; enough: () => boolean };
  /** @returns whether to go on */
  const retryList = async (owner: string, kept: KeptQuarantine, { repair, enough }: Retry): Promise<boolean> => {
    const { record, stopped } = await retryQuarantined(kept.record, repair, enough);
    retriedLast = owner;
    if (owner === tailOwner) own = createQuarantine(record);
    else await saveQuarantine(bucket, { slug, owner, over: kept.revision }, record);
    return !stopped && !enough();
  };
  const refusesAny = (): boolean => !records.every(isEmpty);

  return {
    own: () => own,
    records: () => records,
    refusesAny,
    clear: async (ours) => {
      await clearQuarantines(bucket, slug, ours);
      own = createQuarantine();
      saved = JSON.stringify(emptyQuarantine);
      revision = 0;
    },
    takeOver: async () => {
      if (revision !== undefined) return;
      const before = (await loadQuarantines(bucket, slug)).get(tailOwner);
      if (before !== undefined) own = createQuarantine(before.record);
      saved = JSON.stringify(own.record());
      revision = before?.revision ?? 0;
    },
    save,
    keep: async () => {
      await save();
      records = [own.record(), ...(await others()).map(([, { record }]) => record)];
    },
    retry: async (io, signal) => {
      if (runtime.now() - retriedAtMs < retryMs || !refusesAny()) return;
      const begunAtMs = runtime.now();
      retriedAtMs = begunAtMs;
      const hung = new AbortController();
      const cancel = runtime.after(hungMs, () => hung.abort());
      const enough = (): boolean => signal.aborted || runtime.now() - begunAtMs >= retryForMs;
      try {
        const repair = { ...(await io()), signal: AbortSignal.any([signal, hung.signal]) };
        const mine: [string, KeptQuarantine] = [tailOwner, { record: own.record(), revision: revision ?? 0 }];
        for (const [owner, kept] of rotated([mine, ...(await others())], retriedLast))
          if (!(await retryList(owner, kept, { repair, enough }))) return;
      } finally {
        cancel();
      }
    },
    meetAgain: async (moveBack) => {
      if (records.every(({ overflowed }) => overflowed === 0)) return;
      const theirs = await others();
      const lists = new Map([
        [tailOwner, own.record()],
        ...theirs.map(([owner, { record }]) => [owner, record] as const),
      ]);
      if (!isDue(lists)) return;
      await moveBack(lists);
      own = createQuarantine();
      await save();
      for (const [owner, { revision: over }] of theirs)
        await saveQuarantine(bucket, { slug, owner, over }, emptyQuarantine);
    },
  };
};
