/**
 * Compares one sample. First the answer that the client got stands against the other side's, as they are. Only when they
 * differ are both asked again, pinned alike and after a refresh, until they agree or the waits are used up: a difference
 * counts only if it persists, because a write between the two reads is no fault of a side.
 *
 * The client's own read is never changed for the sake of a sample, so the first round cannot be pinned to a copy: pinning
 * only the other requests would not make the copies agree. The first round is therefore asked as the client asked, the
 * authority's second answer (A') included, which keeps noise equal on both comparisons; later rounds carry one
 * `preference` for all requests.
 * A sample without A' asks the authority once more around a difference that persists: when the authority differs from
 * itself by then, the documents are moving and the sample says nothing.
 */
import { compareAnswers } from '../../compare/compare.ts';
import { freezeNow } from '../../compare/freeze.ts';
import { recheckQuery } from '../../compare/recheck.ts';
import type { Rules } from '../../compare/rules.ts';
import type { Answer, ComparableApi, ComparedRequest, Observation } from '../../compare/types.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import { pause, type Timers } from '../../coordination/timers.ts';
import type { IndexNames } from '../rename.ts';
import type { ServedRead, ShadowSkip, SideRequest } from './ports.ts';
import type { Refresh } from './refresher.ts';
import type { Asked, SideAnswer, SideAsker } from './side-asker.ts';

export type Sample = {
  readonly state: RouteState;
  readonly api: ComparableApi;
  /** As the client sent it, its body readable. */
  readonly request: ComparedRequest;
  readonly contentType: string | undefined;
  readonly served: ServedRead;
  readonly baseline: boolean;
};

export type ObserveDeps = {
  readonly ask: SideAsker;
  readonly refresh: Refresh;
  readonly rulesOf: (state: RouteState) => Rules;
  readonly namesOf: (state: RouteState) => IndexNames;
  readonly random: () => number;
  readonly timers: Timers;
  readonly stopping: AbortSignal;
  /** Pauses before each repetition; copies and segments need time to settle. */
  readonly settleMs: readonly number[];
};

export type Round = {
  readonly authority: SideAnswer;
  readonly other: SideAnswer;
  readonly again: SideAnswer | undefined;
};
export type Observed =
  | { readonly kind: 'skipped'; readonly reason: ShadowSkip }
  | {
      readonly kind: 'compared';
      readonly observation: Observation;
      readonly baseline: Observation | undefined;
      readonly settled: boolean;
      readonly round: Round;
    };

class SampleSkipped extends Error {
  readonly reason: ShadowSkip;
  constructor(reason: ShadowSkip) {
    super(reason);
    this.reason = reason;
  }
}

export const observe = async (deps: ObserveDeps, sample: Sample): Promise<Observed> => {
  try {
    return await compareRounds(deps, sample);
  } catch (error) {
    if (error instanceof SampleSkipped) return { kind: 'skipped', reason: error.reason };
    throw error;
  }
};

const compareRounds = async (deps: ObserveDeps, sample: Sample): Promise<Observed> => {
  const first = await firstRound(deps, sample);
  const judged = judge(deps, sample, first);
  if (!mustRepeat(sample, judged)) return finish(judged, first, false);
  return repeat(deps, sample);
};

/** Both sides, and the authority twice, asked afresh: the served answer is gone, and would be old. */
export const observeAgain = async (deps: ObserveDeps, sample: Sample): Promise<Observed> => {
  try {
    const preference = preferenceOf(deps);
    await deps.refresh(sample.state);
    const round = await laterRound(deps, sample, { preference, again: true });
    const query = recheckQuery(sample.api, sample.request, preference);
    return finish(judge(deps, sample, round, { ...sample.request, query }), round, false);
  } catch (error) {
    if (error instanceof SampleSkipped) return { kind: 'skipped', reason: error.reason };
    throw error;
  }
};

const preferenceOf = ({ random }: ObserveDeps): string => `crossfade-${Math.floor(random() * 1_000_000)}`;

type Judged = { readonly observation: Observation; readonly baseline: Observation | undefined };

/** `request` as it was asked: what it pinned decides how strictly the answers are compared. */
const judge = (
  deps: ObserveDeps,
  sample: Sample,
  { authority, other, again }: Round,
  request = sample.request,
): Judged => {
  const against = (answer: Answer): Observation =>
    compareAnswers({
      api: sample.api,
      request,
      authority: authority.answer,
      other: answer,
      renameIndex: (name) => deps.namesOf(sample.state).get(name) ?? name,
      rules: deps.rulesOf(sample.state),
    });
  return { observation: against(other.answer), baseline: again && against(again.answer) };
};

const isEqual = (observation: Observation | undefined): boolean =>
  observation === undefined || observation.severity === 'none';

/** Differences of scores and cosmetics do not go away by waiting, and say little: a repetition would cost more. */
const isMild = (observation: Observation | undefined): boolean =>
  isEqual(observation) || observation?.severity === 'S8' || observation?.severity === 'S9';

/** A failure of the other side is evidence as it stands: asking again would hide that it fails now and then. */
const mustRepeat = ({ state }: Sample, { observation, baseline }: Judged): boolean =>
  state.spec.shadow.recheck && observation.severity !== 'S0' && !(isMild(observation) && isMild(baseline));

const finish = ({ observation, baseline }: Judged, round: Round, settled: boolean): Observed =>
  observation.discard === undefined
    ? {
        kind: 'compared',
        observation,
        baseline: baseline?.discard === undefined ? baseline : undefined,
        settled,
        round,
      }
    : { kind: 'skipped', reason: 'discarded' };

const repeat = async (deps: ObserveDeps, sample: Sample): Promise<Observed> => {
  const preference = preferenceOf(deps);
  for (const [i, waitMs] of deps.settleMs.entries()) {
    await pause(deps.timers, waitMs, deps.stopping);
    await deps.refresh(sample.state);
    const isLast = i === deps.settleMs.length - 1;
    const round = await laterRound(deps, sample, { preference, again: sample.baseline || isLast });
    const query = recheckQuery(sample.api, sample.request, preference);
    const judged = judge(deps, sample, round, { ...sample.request, query });
    const equal = isEqual(judged.observation) && (!sample.baseline || isEqual(judged.baseline));
    if (equal || isLast) return concluded(sample, judged, { round, equal });
  }
  throw new SampleSkipped('discarded');
};

const concluded = (sample: Sample, judged: Judged, { round, equal }: { round: Round; equal: boolean }): Observed => {
  if (sample.baseline) return finish(judged, round, equal);
  if (!isEqual(judged.observation) && !isEqual(judged.baseline)) return { kind: 'skipped', reason: 'discarded' };
  return finish({ ...judged, baseline: undefined }, round, equal);
};

/** The served answer stands for its side; the others are asked, in random order. */
const firstRound = async (deps: ObserveDeps, sample: Sample): Promise<Round> => {
  const { served, state } = sample;
  const authority = authorityIn(state.phase.phase);
  const given: SideAnswer = { answer: served, ms: served.latencyMs };
  const ask = (side: Side) => askOnce(deps, sample, { side, query: (wire) => wire.query });
  const missing = otherSide(served.side);
  const [asked, again] = await inRandomOrder(deps, [
    () => ask(missing),
    sample.baseline ? () => ask(authority) : undefined,
  ]);
  const theOther = asked as SideAnswer;
  return served.side === authority
    ? { authority: given, other: theOther, again }
    : { authority: theOther, other: given, again };
};

type Later = { readonly preference: string; readonly again: boolean };

const laterRound = async (deps: ObserveDeps, sample: Sample, { preference, again }: Later): Promise<Round> => {
  const authority = authorityIn(sample.state.phase.phase);
  const query = (wire: SideRequest) => recheckQuery(sample.api, { ...sample.request, query: wire.query }, preference);
  const ask = (side: Side) => () => askOnce(deps, sample, { side, query });
  const answers = await inRandomOrder(deps, [
    ask(authority),
    ask(otherSide(authority)),
    again ? ask(authority) : undefined,
  ]);
  return { authority: answers[0] as SideAnswer, other: answers[1] as SideAnswer, again: answers[2] };
};

type OneAsk = { readonly side: Side; readonly query: (wire: SideRequest) => string };

const askOnce = async (deps: ObserveDeps, sample: Sample, { side, query }: OneAsk): Promise<SideAnswer> => {
  const { state, served, request, contentType } = sample;
  const wire = served.requestFor(side);
  if (wire === undefined) throw new SampleSkipped('unsupported');
  const asked: Asked = await deps.ask({
    side,
    method: request.method,
    contentType,
    served,
    wire: { path: wire.path, query: query(wire), body: frozen(sample, wire.body) },
    timeoutMs: state.spec.shadow.timeoutMs,
    maxBodyBytes: state.spec.shadow.maxBodyBytes,
  });
  if ('failed' in asked) throw new SampleSkipped(asked.failed);
  return asked;
};

const frozen = ({ api, served }: Sample, body: Buffer | undefined): Buffer | undefined => {
  if (body === undefined) return undefined;
  const result = freezeNow(api, body, new Date(served.atMs));
  if (result.kind === 'skip') throw new SampleSkipped('now');
  return result.kind === 'frozen' ? result.body : body;
};

type Question = (() => Promise<SideAnswer>) | undefined;

/** One after the other, so that each request has the cluster as the client's had it. Answers come in the order given. */
const inRandomOrder = async (
  { random }: ObserveDeps,
  questions: readonly Question[],
): Promise<(SideAnswer | undefined)[]> => {
  const answers = new Array<SideAnswer | undefined>(questions.length);
  const order = questions.map((_, i) => ({ i, rank: random() })).sort((a, b) => a.rank - b.rank);
  for (const { i } of order) answers[i] = await questions[i]?.();
  return answers;
};
