/**
 * What a comparison tells the counters, the verdict and the store of samples, and how a person asks for it again. The
 * answers are let go with the report: a repetition needs the request alone.
 */
import type { QueryShape } from '../../compare/types.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, otherSide } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import type { Observed } from './judge.ts';
import { observeAgain } from './observe.ts';
import type { ShadowReport } from './ports.ts';
import type { ObserveDeps, Sample } from './rounds.ts';

export type Compared = Extract<Observed, { kind: 'compared' }>;
export type ReportDeps = {
  readonly observing: ObserveDeps;
  /** The route as it is now; undefined: nothing has changed. */
  readonly stateOf: ((slug: string) => RouteState | undefined) | undefined;
};

const nothing = Buffer.alloc(0);

export const reportOf = (
  deps: ReportDeps,
  sample: Sample,
  { observed, shape }: { observed: Compared; shape: QueryShape },
) => ({
  ...toldOf(sample, observed, shape),
  repeat: repeatOf(deps, sample, shape),
});

const toldOf = (sample: Sample, observed: Compared, shape: QueryShape): Omit<ShadowReport, 'repeat'> => {
  const { state, subject, api, request, served } = sample;
  const authority = authorityIn(state.phase.phase);
  const { observation, baseline, settled, round } = observed;
  const answers = { [authority]: round.authority.answer, [otherSide(authority)]: round.other.answer };
  return {
    slug: state.slug,
    subject,
    family: api,
    shape,
    atMs: served.atMs,
    authority,
    observation,
    baseline,
    settled,
    authorityMs: round.authority.ms,
    otherMs: round.other.ms,
    request: { ...request, body: served.requestBody },
    answers: answers as ShadowReport['answers'],
  };
};

const repeatOf = (deps: ReportDeps, sample: Sample, shape: QueryShape): ShadowReport['repeat'] => {
  const served = { ...sample.served, body: nothing, authorization: undefined, headers: {} };
  const slim: Sample = { ...sample, served, baseline: true };
  const repeat: ShadowReport['repeat'] = async () => {
    demandSamePhase(deps, slim.state);
    const observed = await observeAgain(deps.observing, slim);
    return observed.kind === 'skipped' ? { skipped: observed.reason } : { ...toldOf(slim, observed, shape), repeat };
  };
  return repeat;
};

const demandSamePhase = ({ stateOf }: ReportDeps, { slug, phase }: RouteState): void => {
  const now = stateOf?.(slug);
  if (stateOf !== undefined && now?.phase.phase !== phase.phase)
    throw new CrossfadeError(
      'REPLAY_REFUSED',
      `The route is in ${now?.phase.phase ?? 'no phase'} by now, not in ${phase.phase}.`,
    );
};
