/**
 * A look at an index between two readings of the tail: its shards as they are, and what is still in doubt of what was
 * read before, see doubts.ts. The terms are asked for only when there is something to date, so an index at rest costs no
 * second request. Invariant: the terms are asked for after the shards.
 */
import type { ClusterControl } from './cluster.ts';
import type { CallOptions } from './control-calls.ts';
import type { ShardSeq } from './control-answers.ts';
import type { CopyIo } from './copy-page.ts';
import { indexOn } from './direction.ts';
import { type Doubts, inDoubt, lookAgain } from './doubts.ts';
import { checkPosition, currentShards, type IndexPosition, type PositionProblem } from './positions.ts';
import { retrying } from './retry.ts';
import type { Runtime } from './runtime.ts';

export type AskTerms = (
  cluster: ClusterControl,
  index: string,
  options: CallOptions,
) => Promise<readonly number[] | undefined>;

/** The tail of one index: up to where it has read, and how sure that is. */
export type Standing = { position: IndexPosition; doubts: Doubts };
export type LookIo = Pick<CopyIo, 'clusters' | 'direction' | 'runtime' | 'signal'> & {
  askTerms?: AskTerms | undefined;
};
/** rewound: another primary may show what was hidden, and the cursors were moved back for it. */
export type Look = { kind: 'ok'; shards: ShardSeq[]; doubts: Doubts; cursors: number[]; rewound: boolean };

const refusedForMs = 600_000;

/** Each refusal is a line in the cluster's log: who was refused does not ask again for a while. */
export const patientTerms = ({ now }: Pick<Runtime, 'now'>): AskTerms => {
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  return async (cluster, index, options) => {
    if (now() < quietUntilMs) return undefined;
    const terms = await cluster.primaryTerms(index, options);
    if (terms === undefined) quietUntilMs = now() + refusedForMs;
    return terms;
  };
};

const askPlainly: AskTerms = (cluster, index, options) => cluster.primaryTerms(index, options);

const isDue = ({ cursors }: IndexPosition, shards: readonly ShardSeq[]): boolean =>
  shards.some(({ shard, globalCheckpoint }) => globalCheckpoint > (cursors[shard] as number));

/** @throws CrossfadeError when the cluster cannot be asked */
export const lookAt = async (
  ordinal: number,
  { position, doubts }: Standing,
  io: LookIo,
): Promise<Look | PositionProblem> => {
  const { clusters, direction, runtime, signal, askTerms = askPlainly } = io;
  const cluster = clusters[direction.authority];
  const index = indexOn(direction, ordinal, direction.authority);
  const checked = checkPosition(index, position, await currentShards(index, { cluster, runtime, signal }));
  if (checked.kind !== 'ok') return checked;
  const { shards } = checked;
  const undated = doubts.terms === undefined && isDue(position, shards);
  if (!undated && !inDoubt(doubts)) return { ...checked, doubts, cursors: [...position.cursors], rewound: false };
  const terms = await retrying(() => askTerms(cluster, index, { signal }), { runtime, signal, attempts: 3 });
  return { kind: 'ok', shards, ...lookAgain({ doubts, cursors: position.cursors }, shards, terms) };
};
