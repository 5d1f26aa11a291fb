/** What one round of a sample says: the other side against the authority, and the authority against itself. */
import { recheckQuery } from '../../compare/recheck.ts';
import { isGrave } from '../../compare/subject.ts';
import type { Answer, Answerer, ComparedRequest, Observation } from '../../compare/types.ts';
import { authorityIn, otherSide } from '../../coordination/records.ts';
import type { ShadowSkip } from './ports.ts';
import { namesOn, type ObserveDeps, type Round, type Sample } from './rounds.ts';

export type Judged = { readonly observation: Observation; readonly baseline: Observation | undefined };

export type Observed =
  | { readonly kind: 'skipped'; readonly reason: ShadowSkip }
  | {
      readonly kind: 'compared';
      readonly observation: Observation;
      readonly baseline: Observation | undefined;
      readonly settled: boolean;
      readonly round: Round;
    };

type Pair = {
  readonly authority: Answer;
  readonly other: Answer;
  /** Who gave `other`: the authority itself, asked again, or the other side. */
  readonly of: Answerer;
};

/** `request` as it was asked: what it pinned decides how strictly the answers are compared. */
export const compareIn = (
  deps: ObserveDeps,
  sample: Sample,
  { of, ...pair }: Pair & { readonly request: ComparedRequest },
): Promise<Observation> => {
  const { api, state } = sample;
  const side = authorityIn(state.phase.phase);
  const names = {
    authority: namesOn(deps, sample, side),
    other: namesOn(deps, sample, of === 'authority' ? side : otherSide(side)),
  };
  return deps.compare({ api, ...pair, names, rules: deps.rulesOf(state) });
};

export const judge = async (
  deps: ObserveDeps,
  sample: Sample,
  { authority, other, again }: Round,
  request = sample.request,
): Promise<Judged> => {
  const against = (answer: Answer, of: Answerer) =>
    compareIn(deps, sample, { authority: authority.answer, other: answer, of, request });
  const observation = await against(other.answer, 'other');
  return { observation, baseline: again && (await against(again.answer, 'authority')) };
};

/** A round that was asked as `recheckQuery` says. */
export const judgeLater = (deps: ObserveDeps, sample: Sample, round: Round, preference: string): Promise<Judged> =>
  judge(deps, sample, round, { ...sample.request, query: recheckQuery(sample.api, sample.request, preference) });

/** Differences of scores and cosmetics do not go away by waiting, and say little: a repetition would cost more. */
export const isMild = (observation: Observation | undefined): boolean =>
  observation === undefined || !isGrave(observation);

export const finish = ({ observation, baseline }: Judged, round: Round, settled: boolean): Observed =>
  observation.discard === undefined
    ? {
        kind: 'compared',
        observation,
        baseline: baseline?.discard === undefined ? baseline : undefined,
        settled,
        round,
      }
    : { kind: 'skipped', reason: observation.discard };
