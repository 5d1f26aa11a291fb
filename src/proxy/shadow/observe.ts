/**
 * Compares one sample. First the answer that the client got stands against the other side's, as they are. Only when they
 * differ in what documents explain are both asked again (settle.ts), because a write between the two reads is no fault of a
 * side. How a side answers at all (failures, refusals, partial answers) stands as first seen.
 *
 * The client's own read is never changed for the sake of a sample, so the first round is not pinned to a copy: pinning
 * only the other requests would not make them meet the client's copy, and it would pass by the clusters' own choice of the
 * fastest copy, which is part of the latency that is compared. A' is asked like the other side, so noise is equal in both.
 */
import { hidesRanks } from '../../compare/recheck.ts';
import { waitsForWrite } from '../../compare/refusals.ts';
import { isOfDocuments } from '../../compare/subject.ts';
import type { Observation } from '../../compare/types.ts';
import { finish, isMild, type Judged, judge, judgeLater, type Observed } from './judge.ts';
import {
  firstRound,
  laterRound,
  type ObserveDeps,
  preferenceOf,
  type Round,
  type Sample,
  SampleSkipped,
} from './rounds.ts';
import type { SideAnswer } from './side-asker.ts';
import { settle } from './settle.ts';

const orSkipped = (observing: Promise<Observed>): Promise<Observed> => observing.catch(skippedBy);

const skippedBy = (error: unknown): Observed => {
  if (error instanceof SampleSkipped) return { kind: 'skipped', reason: error.reason };
  throw error;
};

type Pair = readonly (SideAnswer | undefined)[];

/** Failures, refusals and partial answers come and go: asking again would hide that they do. */
const mayBeWrite = (one: Observation, pair: Pair): boolean =>
  isOfDocuments(one) || (one.severity === 'S1' && pair.some((side) => side && waitsForWrite(side.answer)));

/** Other hits on a page of which the client asked to see too little: a repetition shows whether they tie. */
const isUnseen = ({ api, request }: Sample, { differences }: Observation): boolean =>
  differences.some(({ kind }) => kind === 'open_tie') && hidesRanks(api, request);

const mustRepeat = (sample: Sample, { observation, baseline }: Judged, { authority, other, again }: Round): boolean => {
  const says = (one: Observation | undefined, pair: Pair): boolean =>
    one !== undefined && (mayBeWrite(one, pair) || isUnseen(sample, one));
  return (
    sample.state.spec.shadow.recheck &&
    (says(observation, [authority, other]) || (isMild(observation) && says(baseline, [authority, again])))
  );
};

const compareRounds = async (deps: ObserveDeps, sample: Sample): Promise<Observed> => {
  const first = await firstRound(deps, sample);
  const judged = await judge(deps, sample, first);
  return mustRepeat(sample, judged, first) ? settle(deps, sample) : finish(judged, first, false);
};

export const observe = (deps: ObserveDeps, sample: Sample): Promise<Observed> => orSkipped(compareRounds(deps, sample));

const askBothAgain = async (deps: ObserveDeps, sample: Sample): Promise<Observed> => {
  const preference = preferenceOf(deps);
  await deps.refresh(sample.state);
  const round = await laterRound(deps, sample, { preference, again: true });
  return finish(await judgeLater(deps, sample, round, preference), round, false);
};

/** Both sides, and the authority twice, asked afresh: the served answer is gone, and would be old. */
export const observeAgain = (deps: ObserveDeps, sample: Sample): Promise<Observed> =>
  orSkipped(askBothAgain(deps, sample));
