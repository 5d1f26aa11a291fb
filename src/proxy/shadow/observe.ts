/**
 * Compares one sample. First the answer that the client got stands against the other side's, as they are. Only when they
 * differ are both asked again (settle.ts), because a write between the two reads is no fault of a side.
 *
 * The client's own read is never changed for the sake of a sample, so the first round is not pinned to a copy: pinning
 * only the other requests would not make them meet the client's copy, and it would pass by the clusters' own choice of the
 * fastest copy, which is part of the latency that is compared. A' is asked like the other side, so noise is equal in both.
 */
import { finish, isMild, type Judged, judge, judgeLater, type Observed } from './judge.ts';
import { firstRound, laterRound, type ObserveDeps, preferenceOf, type Sample, SampleSkipped } from './rounds.ts';
import { settle } from './settle.ts';

const orSkipped = (observing: Promise<Observed>): Promise<Observed> => observing.catch(skippedBy);

const skippedBy = (error: unknown): Observed => {
  if (error instanceof SampleSkipped) return { kind: 'skipped', reason: error.reason };
  throw error;
};

/** A failure of the other side is evidence as it stands: asking again would hide that it fails now and then. */
const mustRepeat = ({ state }: Sample, { observation, baseline }: Judged): boolean =>
  state.spec.shadow.recheck && observation.severity !== 'S0' && !(isMild(observation) && isMild(baseline));

const compareRounds = async (deps: ObserveDeps, sample: Sample): Promise<Observed> => {
  const first = await firstRound(deps, sample);
  const judged = await judge(deps, sample, first);
  return mustRepeat(sample, judged) ? settle(deps, sample) : finish(judged, first, false);
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
