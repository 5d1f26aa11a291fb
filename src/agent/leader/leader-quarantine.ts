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
  /** Documents that were deleted since, or whose refusal had a cause that is mended, leave the lists. */
  retry(io: () => Promise<RepairIo>): Promise<void>;
  /** Where nothing listed is left and some were only counted: `moveBack` lets the tail meet these again, before the count is dropped. */
  meetAgain(moveBack: (lists: Lists) => Promise<void>): Promise<void>;
}

const retryMs = 15_000;

export const createLeaderQuarantine = ({ slug, bucket, runtime }: LeaderQuarantineDeps): LeaderQuarantine => {
  let own = createQuarantine();
  let records: QuarantineRecord[] = [];
  let saved = JSON.stringify(emptyQuarantine);
  /** Of the list that stands in the store; undefined until it was taken over. */
  let revision: number | undefined;
  let retriedAtMs = Number.NEGATIVE_INFINITY;

  const save = async (): Promise<void> => {
    const record = own.record();
    const text = JSON.stringify(record);
    if (text === saved) return;
    revision = await saveQuarantine(bucket, { slug, owner: tailOwner, over: revision }, record);
    saved = text;
  };
  const others = async (): Promise<[string, KeptQuarantine][]> =>
    [...(await loadQuarantines(bucket, slug))].filter(([owner]) => owner !== tailOwner);
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
    retry: async (io) => {
      if (runtime.now() - retriedAtMs < retryMs || !refusesAny()) return;
      retriedAtMs = runtime.now();
      const repair = await io();
      own = createQuarantine(await retryQuarantined(own.record(), repair));
      for (const [owner, { record, revision: over }] of await others())
        await saveQuarantine(bucket, { slug, owner, over }, await retryQuarantined(record, repair));
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
