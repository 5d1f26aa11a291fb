/**
 * Proves every now and then, under load, that both sides hold the same number of documents. Counts of a moving target
 * agree within what moved and what is under way; at rest they must be equal. Unequal calls for a sweep, unequal after a
 * sweep for a person. How old the last proof is says whether a switch may begin; the switch proves it anew.
 */
import type { RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { ClusterControl } from '../cluster.ts';
import { directionOf } from '../direction.ts';
import { countProof, type PairCount } from '../proof.ts';
import type { Runtime } from '../runtime.ts';
import type { Dropped } from '../transform.ts';
import { type JobStore, type ProofMark, saveWork } from './job-state.ts';

export type ProofWatchDeps = {
  job: JobStore;
  runtime: Runtime;
  clock: () => string;
  sweepPending: () => boolean;
  setAlarm: (name: string, text: string | undefined) => void;
};
export type ProofTry = {
  clusters: Record<Side, ClusterControl>;
  dropped: Dropped;
  signal: AbortSignal;
  /** Sequence numbers given out on the authority so far. */
  totals: () => Promise<readonly number[]>;
  /** Copies that are not on the follower yet. */
  underWay: number;
};
export interface ProofWatch {
  prove(state: RouteState, attempt: ProofTry): Promise<void>;
  /** A switch has just proven both sides equal. */
  noteProven(): void;
  /** A switch has just proven that they are not, at rest. */
  noteApart(): Promise<void>;
  /** Undefined when this leader has no proof. */
  ageSeconds(): number | undefined;
}

const everyMs = 20_000;
const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

const named = (counts: readonly PairCount[], { spec }: RouteState): ProofMark['counts'] =>
  counts.map(({ ordinal, authority, follower }) => ({
    index: spec.indices[ordinal]?.source ?? '',
    authority,
    follower,
  }));

export const createProofWatch = (deps: ProofWatchDeps): ProofWatch => {
  const { job, runtime, clock, sweepPending, setAlarm } = deps;
  let provenAtMs: number | undefined;
  let triedAtMs = Number.NEGATIVE_INFINITY;

  const keep = async (equal: boolean, counts: ProofMark['counts']): Promise<void> => {
    const { work } = job.current();
    const sweptForIt = !equal && work?.proof?.equal === false && !sweepPending();
    const text = `counts stay different after a sweep: ${JSON.stringify(counts)}; run verify`;
    setAlarm('counts', sweptForIt ? text : undefined);
    // Unequal at rest: only a sweep can tell why.
    const sweep = equal || work === undefined ? {} : { sweep: { ...work.sweep, coveredEvents: -1 } };
    await saveWork(job, { proof: { at: clock(), equal, counts }, ...sweep });
  };

  return {
    prove: async (state, { totals, underWay, ...io }) => {
      if (runtime.now() - triedAtMs < everyMs) return;
      triedAtMs = runtime.now();
      const before = sum(await totals());
      const { counts } = await countProof({ ...io, runtime, direction: directionOf(state), attempts: 2 });
      const slack = sum(await totals()) - before + underWay;
      const apart = counts.reduce((all, { authority, follower }) => all + Math.abs(authority - follower), 0);
      const equal = apart <= slack;
      if (equal) provenAtMs = runtime.now();
      await keep(equal, named(counts, state));
    },
    noteProven: () => {
      provenAtMs = runtime.now();
    },
    noteApart: () => keep(false, []),
    ageSeconds: () => {
      if (job.current().work?.proof?.equal !== true || provenAtMs === undefined) return undefined;
      return (runtime.now() - provenAtMs) / 1000;
    },
  };
};
