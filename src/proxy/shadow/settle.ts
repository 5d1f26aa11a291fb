/**
 * A mismatch that may be a write seen on one side only: both sides are asked again, pinned alike and after a refresh, until
 * they agree, or the documents behind it show that no write explains it (movement.ts). What only documents explain whose
 * copies are on the way says nothing: the rest is asked without them (judge-still-part.ts), or the sample is skipped as
 * `unstable`; so is what the authority does not agree on with itself.
 * Cost: a mismatch that stays takes a few rounds, each between two listings; it waits outside of the places for requests.
 */
import { documentsIn } from '../../compare/listing.ts';
import {
  type Agrees,
  type Listings,
  type Look,
  movementOf,
  type Persistence,
  persistence,
  persistsBeside,
} from '../../compare/movement.ts';
import { isOfDocuments } from '../../compare/subject.ts';
import type { Answer, Observation } from '../../compare/types.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { fitsLayout, packStamp, unpackStamp } from '../../coordination/stamp.ts';
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import { pause } from '../../coordination/timers.ts';
import { compareIn, finish, isMild, type Judged, judgeLater, type Observed } from './judge.ts';
import { type JudgedRound, judgeStillPart } from './judge-still-part.ts';
import { listings } from './listings.ts';
import { laterRound, type ObserveDeps, preferenceOf, type Round, type Sample, sharedName } from './rounds.ts';
import type { SideAnswer } from './side-asker.ts';

/** One repetition. `before` and `after` are absent where documents cannot be listed or nothing is to be explained. */
type Seen = JudgedRound & {
  readonly before: Listings | undefined;
  readonly after: Listings | undefined;
};

/** What the next repetition is held against. The other answers of a round are let go before the sample rests. */
type Past = { readonly authority: Answer; readonly after: Listings | undefined };

const pastOf = ({ round, after }: Seen): Past => ({ authority: round.authority.answer, after });

/** About what a listed document takes in memory: its key and three numbers. */
const bytesPerListed = 200;

const bytesOf = ({ authority, after }: Past): number =>
  authority.body.length + ((after?.authority.size ?? 0) + (after?.other.size ?? 0)) * bytesPerListed;

export const settle = async (deps: ObserveDeps, sample: Sample): Promise<Observed> => {
  const preference = preferenceOf(deps);
  let past: Past | undefined;
  for (const [i, waitMs] of deps.settleMs.entries()) {
    await deps.rest(async () => {
      await pause(deps.timers, waitMs, deps.stopping);
      await deps.refresh(sample.state);
    });
    const found = await repetition(deps, sample, { preference, past, left: deps.settleMs.length - 1 - i });
    if ('observed' in found) return found.observed;
    past = found.past;
    deps.hold(bytesOf(past));
  }
  return unstable;
};

type Repetition = { readonly preference: string; readonly past: Past | undefined; readonly left: number };

/** In a function of its own, so that what it asked for is let go with it. */
const repetition = async (
  deps: ObserveDeps,
  sample: Sample,
  { preference, past, left }: Repetition,
): Promise<{ readonly observed: Observed } | { readonly past: Past }> => {
  const seen = await lookAgain(deps, sample, { preference, isFirst: past === undefined });
  const { observation, baseline } = seen.judged;
  if (isMild(observation) && isMild(baseline)) return { observed: concluded(sample, seen, true) };
  if (past === undefined) return { past: pastOf(seen) };
  const fate = await fateOf(deps, sample, { past, seen });
  if (fate === 'now' || (fate === 'at_last' && left === 0)) return { observed: concluded(sample, seen, false) };
  // The longest wait is for late copies; what moves all the time is not worth it.
  return fate === 'no' && left <= 1
    ? { observed: await apartFromMoving(deps, sample, { past, seen, preference }) }
    : { past: pastOf(seen) };
};

const unstable: Observed = { kind: 'skipped', reason: 'unstable' };

/** The documents under way explain what was found, and may hide what they do not explain. */
const apartFromMoving = async (
  deps: ObserveDeps,
  sample: Sample,
  { past, seen, preference }: Evidence & { readonly preference: string },
): Promise<Observed> => {
  const look = lookOf(past, seen);
  const still = look && (await judgeStillPart(deps, sample, { look, preference, agrees: agreesIn(sample.state) }));
  return still ? concluded(sample, still, isMild(still.judged.observation)) : unstable;
};

/** The second answer of an authority that was asked for the sake of the mismatch is no baseline: it was not chosen by lot. */
const concluded = ({ baseline }: Sample, { judged, round }: JudgedRound, settled: boolean): Observed =>
  finish(baseline ? judged : { ...judged, baseline: undefined }, round, settled);

type Again = { readonly preference: string; readonly isFirst: boolean };

const lookAgain = async (deps: ObserveDeps, sample: Sample, { preference, isFirst }: Again): Promise<Seen> => {
  const list = () => listings(deps, sample, preference);
  // Nothing is explained by the first repetition: there is no older state to hold it against.
  const before = isFirst ? undefined : await list();
  const round = await laterRound(deps, sample, { preference, again: sample.baseline || !isFirst });
  const judged = await judgeLater(deps, sample, round, preference);
  const own = await deps.inTurn(() => statedBy(deps, sample, round));
  return { round, judged, before: own ?? before, after: own ?? (isExplained(judged) ? await list() : undefined) };
};

const isExplained = ({ observation, baseline }: Judged): boolean =>
  [observation, baseline].some((one) => one !== undefined && isOfDocuments(one));

/** Answers to reads by id list their documents themselves. */
const statedBy = (deps: ObserveDeps, sample: Sample, { authority, other }: Round): Listings | undefined => {
  const side = authorityIn(sample.state.phase.phase);
  const stated = ({ answer }: SideAnswer, on: Side) =>
    documentsIn(sample.api, answer.body, sharedName(deps, sample, on));
  const [a, b] = [stated(authority, side), stated(other, otherSide(side))];
  return a && b && { authority: a, other: b };
};

type Evidence = { readonly past: Past; readonly seen: Seen };

const fateOf = async (deps: ObserveDeps, sample: Sample, { past, seen }: Evidence): Promise<Persistence> => {
  const { observation, baseline } = seen.judged;
  if (!sample.baseline && !isMild(baseline)) return 'no';
  const { differences } = isMild(observation) && baseline ? baseline : observation;
  const look = lookOf(past, seen);
  if (look !== undefined) return deps.inTurn(() => persistence(differences, movementOf(look, agreesIn(sample.state))));
  const change = await changeOf(deps, sample, { past, seen });
  return persistsBeside(differences, change.differences) ? 'at_last' : 'no';
};

const lookOf = (past: Past, { before, after }: Seen): Look | undefined =>
  past.after && before && after && { earlier: past.after, before, after };

const changeOf = (deps: ObserveDeps, sample: Sample, { past, seen }: Evidence): Promise<Observation> => {
  const [authority, other] = [past.authority, seen.round.authority.answer];
  return compareIn(deps, sample, { authority, other, of: 'authority', request: sample.request });
};

/** Copies carry the stamp of the authority's write as their version, or, by the route's setting, the application's version. */
const agreesIn = ({ spec, phase: { layout, reign } }: RouteState): Agrees => {
  if (spec.versions === 'external') return (a, b) => (a.version === b.version ? 'same' : 'stale');
  return (a, b) => {
    const parts = { reign, term: a.term, seq: a.seq };
    if (fitsLayout(layout, parts) && packStamp(layout, parts) === b.version) return 'same';
    return unpackStamp(layout, b.version).reign === reign ? 'stale' : 'unknown';
  };
};
