/**
 * Pure: what the tail may have passed without seeing it. A search shows a document at its newest write. When only the
 * primary holds that one, it hides an older write which every copy holds, and the cursor passes the older one; should the
 * primary then fail, the newer write is gone and the older one is back. So a stretch that was read stays in doubt until
 * the checkpoint has passed every number given out by then, and a new primary term sends the cursor back to its
 * beginning. Invariant: `terms` are never younger than the searches whose doubts they date, so that no failure of a
 * primary goes unnoticed; that they are older only costs reading again what was read.
 */
import * as z from 'zod';
import type { ShardSeq } from './control-answers.ts';

export const Doubt = z.strictObject({
  /** Exclusive: where the cursor stood when the reading began. */
  from: z.int().min(-1),
  /** The highest number that can hide what was read; absent until the next look at the shard. */
  upTo: z.int().optional(),
});
export type Doubt = z.infer<typeof Doubt>;
export const Doubts = z.strictObject({
  /** Primary terms by shard; absent where the cluster does not tell them: then nothing is in doubt. */
  terms: z.array(z.int()).optional(),
  /** By shard, the older first, two at most: the older one is fixed, so that a steady load cannot keep it from ending. */
  shards: z.array(z.array(Doubt)),
});
export type Doubts = z.infer<typeof Doubts>;

export const noDoubts: Doubts = { shards: [] };

type Looked = Pick<ShardSeq, 'shard' | 'maxSeqNo' | 'globalCheckpoint'>;

export const inDoubt = ({ shards }: Doubts): boolean => shards.some((doubts) => doubts.length > 0);

/** What a look at the shard leaves in doubt, while its primary is the same. */
const settled = (doubts: readonly Doubt[], { maxSeqNo, globalCheckpoint }: Looked): Doubt[] =>
  doubts.map(({ from, upTo = maxSeqNo }) => ({ from, upTo })).filter(({ upTo }) => upTo > globalCheckpoint);

/**
 * `terms` must have been asked for after `shards`: only then do these tell of the same primary or an earlier one.
 * @returns the cursors, moved back where another primary may show what was hidden
 */
export const lookAgain = (
  before: { doubts: Doubts; cursors: readonly number[] },
  shards: readonly Looked[],
  terms: readonly number[] | undefined,
): { doubts: Doubts; cursors: number[]; rewound: boolean } => {
  const cursors = [...before.cursors];
  if (terms === undefined) return { doubts: noDoubts, cursors, rewound: false };
  let rewound = false;
  const left = shards.map((looked): Doubt[] => {
    const { shard } = looked;
    const doubts = before.doubts.shards[shard] ?? [];
    const [oldest] = doubts;
    if (oldest === undefined || before.doubts.terms?.[shard] === terms[shard]) return settled(doubts, looked);
    cursors[shard] = Math.min(oldest.from, cursors[shard] ?? -1);
    rewound = true;
    return [];
  });
  return { doubts: { terms: [...terms], shards: left }, cursors, rewound };
};

const withOne = (doubts: readonly Doubt[], from: number): Doubt[] => {
  const [oldest, newer] = doubts;
  return oldest === undefined ? [{ from }] : [oldest, { from: newer?.from ?? from }];
};

/** Whatever was read is in doubt until the next look. Nothing is where no term tells of a failure. */
export const doubtRead = (doubts: Doubts, before: readonly number[], after: readonly number[]): Doubts => {
  if (doubts.terms === undefined) return doubts;
  const shards = after.map((cursor, shard) => {
    const known = doubts.shards[shard] ?? [];
    const from = before[shard] ?? -1;
    return cursor > from ? withOne(known, from) : known;
  });
  return { ...doubts, shards };
};
