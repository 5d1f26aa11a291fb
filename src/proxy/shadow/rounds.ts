/**
 * The questions of one sample: each side once, the authority perhaps twice, one after the other in random order. The first
 * round is asked as the client asked, since its own read is one of the answers; later rounds carry one `preference` for
 * all.
 */
import { type Frozen, freezeNow } from '../../compare/freeze.ts';
import { recheckQuery } from '../../compare/recheck.ts';
import type { Rules } from '../../compare/rules.ts';
import { withoutDocuments } from '../../compare/still-part.ts';
import type { ComparableApi, ComparedRequest } from '../../compare/types.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import type { Timers } from '../../coordination/timers.ts';
import type { IndexNames } from '../rename.ts';
import type { Compare } from './comparer.ts';
import type { ServedRead, ShadowSkip, SideRequest } from './ports.ts';
import type { Refresh } from './refresher.ts';
import type { Asked, AskSide, SideAnswer, SideAsker } from './side-asker.ts';
import type { Turns } from './turns.ts';

export type Sample = {
  readonly state: RouteState;
  /** Of the evidence. */
  readonly subject: string;
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
  readonly compare: Compare;
  readonly rulesOf: (state: RouteState) => Rules;
  /** From the target's names to the source's. */
  readonly namesOf: (state: RouteState) => IndexNames;
  readonly random: () => number;
  /** For work that would otherwise be done in the way of clients. */
  readonly inTurn: Turns;
  readonly timers: Timers;
  readonly stopping: AbortSignal;
  /** Pauses before each repetition, at least two; copies and segments need time to settle. */
  readonly settleMs: readonly number[];
  /** Waits outside of the places for requests under way. */
  readonly rest: (waiting: () => Promise<void>) => Promise<void>;
  /** Says how many bytes of past rounds the sample keeps while it rests. */
  readonly hold: (bytes: number) => void;
};

export type Round = {
  readonly authority: SideAnswer;
  readonly other: SideAnswer;
  readonly again: SideAnswer | undefined;
};

export class SampleSkipped extends Error {
  readonly reason: ShadowSkip;
  constructor(reason: ShadowSkip) {
    super(reason);
    this.reason = reason;
  }
}

export const preferenceOf = ({ random }: ObserveDeps): string => `crossfade-${Math.floor(random() * 1_000_000)}`;

const noNames: IndexNames = new Map();

/** Only the target's names are translated: on the source one of them may be another index of the route. */
export const namesOn = (deps: ObserveDeps, { state }: Sample, side: Side): IndexNames =>
  side === 'target' ? deps.namesOf(state) : noNames;

export const sharedName = (deps: ObserveDeps, sample: Sample, side: Side): ((name: string) => string) => {
  const names = namesOn(deps, sample, side);
  return (name) => names.get(name) ?? name;
};

const asSent = ({ query }: SideRequest): string => query;

/** The served answer stands for its side; the others are asked, in random order. */
export const firstRound = (deps: ObserveDeps, sample: Sample): Promise<Round> => {
  const missing = otherSide(sample.served.side);
  // Most samples ask one question. Each async function between it and its answer would cost time and memory.
  return sample.baseline
    ? firstAndAgain(deps, sample, missing)
    : askOnce(deps, sample, { side: missing, query: asSent }).then((asked) => roundOf(sample, asked, undefined));
};

const firstAndAgain = async (deps: ObserveDeps, sample: Sample, missing: Side): Promise<Round> => {
  const authority = authorityIn(sample.state.phase.phase);
  const ask = (side: Side) => () => askOnce(deps, sample, { side, query: asSent });
  const [asked, again] = await inRandomOrder(deps, [ask(missing), ask(authority)]);
  return roundOf(sample, asked as SideAnswer, again);
};

const roundOf = ({ served, state }: Sample, asked: SideAnswer, again: SideAnswer | undefined): Round => {
  const given: SideAnswer = { answer: served, ms: served.ms };
  return served.side === authorityIn(state.phase.phase)
    ? { authority: given, other: asked, again }
    : { authority: asked, other: given, again };
};

export type Later = { readonly preference: string; readonly again: boolean };

const pinned =
  ({ api, request }: Sample, preference: string) =>
  ({ query }: SideRequest): string =>
    recheckQuery(api, { ...request, query }, preference);

export const laterRound = async (deps: ObserveDeps, sample: Sample, { preference, again }: Later): Promise<Round> => {
  const authority = authorityIn(sample.state.phase.phase);
  const ask = (side: Side) => () => askOnce(deps, sample, { side, query: pinned(sample, preference) });
  const answers = await inRandomOrder(deps, [
    ask(authority),
    ask(otherSide(authority)),
    again ? ask(authority) : undefined,
  ]);
  return { authority: answers[0] as SideAnswer, other: answers[1] as SideAnswer, again: answers[2] };
};

export type Without = { readonly preference: string; readonly without: ReadonlySet<string> };

/** All at once, so that little is written meanwhile; the search must allow it (still-part.ts). */
export const roundWithout = async (
  deps: ObserveDeps,
  sample: Sample,
  { preference, without }: Without,
): Promise<Round> => {
  const side = authorityIn(sample.state.phase.phase);
  const query = pinned(sample, preference);
  const ask = (asked: Side) => askOnce(deps, sample, { side: asked, query, without });
  const [authority, other, again] = await Promise.all([ask(side), ask(otherSide(side)), ask(side)]);
  return { authority, other, again };
};

/** How a search is sent whose body is not the client's. */
export const asJson = { method: 'POST', contentType: 'application/json' };

type OneAsk = {
  readonly side: Side;
  readonly query: (wire: SideRequest) => string;
  readonly without?: ReadonlySet<string> | undefined;
};

export const send = (
  { ask }: ObserveDeps,
  { state, served }: Sample,
  about: Pick<AskSide, 'side' | 'method' | 'contentType' | 'wire'>,
): Promise<Asked> => {
  const { timeoutMs, maxBodyBytes } = state.spec.shadow;
  return ask({ ...about, served, timeoutMs, maxBodyBytes });
};

const askOnce = async (deps: ObserveDeps, sample: Sample, { side, query, without }: OneAsk): Promise<SideAnswer> => {
  const { served, request, contentType } = sample;
  const given = served.requestFor(side);
  if (given === undefined) throw new SampleSkipped('unsupported');
  const wire = { path: given.path, query: query(given), body: frozen(sample, given.body) };
  const question = without
    ? { ...asJson, wire: withoutDocuments(wire, without) }
    : { method: request.method, contentType, wire };
  const asked = await send(deps, sample, { side, ...question });
  if ('failed' in asked) throw new SampleSkipped(asked.failed);
  return asked;
};

/** By the bytes themselves, which are one sample's, and asked several times. */
const frozenBodies = new WeakMap<Buffer, Frozen>();

const frozenOnce = ({ api, served }: Sample, body: Buffer): Frozen => {
  const result = frozenBodies.get(body) ?? freezeNow(api, body, new Date(served.atMs));
  frozenBodies.set(body, result);
  return result;
};

export const frozen = (sample: Sample, body: Buffer | undefined): Buffer | undefined => {
  if (body === undefined) return undefined;
  const result = frozenOnce(sample, body);
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
