/**
 * Where only moving documents explain a mismatch: both sides are asked the same search without them, between two listings.
 * The answers count if every other document stood still meanwhile and carries one stamp on both sides, so that no write
 * can explain what differs. Whoever wrote, and how, does not matter: the listings show what each side holds.
 */
import { type Agrees, toLeaveOut, type Look, stoodStill } from '../../compare/movement.ts';
import { isByScore } from '../../compare/recheck.ts';
import { countsByDocument } from '../../compare/still-part.ts';
import { isOfDocuments, isOfPage } from '../../compare/subject.ts';
import { isMild, type Judged, judgeLater } from './judge.ts';
import { listings } from './listings.ts';
import { type ObserveDeps, type Round, roundWithout, type Sample } from './rounds.ts';

export type JudgedRound = { readonly round: Round; readonly judged: Judged };
export type StillPart = { readonly look: Look; readonly preference: string; readonly agrees: Agrees };

/** A refresh in between shows other documents than those that are left out. */
const attempts = 2;

/** Undefined where the rest cannot be told from what moves, or the answers say nothing of it. */
export const judgeStillPart = async (
  deps: ObserveDeps,
  sample: Sample,
  { look, preference, agrees }: StillPart,
): Promise<JudgedRound | undefined> => {
  if (!countsByDocument(sample.api, sample.request)) return undefined;
  let current = look;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const without = await deps.inTurn(() => toLeaveOut(current, agrees));
    if (without === undefined) return undefined;
    const round = await roundWithout(deps, sample, { preference, without });
    const after = await listings(deps, sample, preference);
    if (after === undefined) return undefined;
    current = { earlier: look.earlier, before: current.after, after };
    if (await deps.inTurn(() => stoodStill(current, without, agrees)))
      return saying(deps, sample, { round, preference });
  }
  return undefined;
};

const saying = async (
  deps: ObserveDeps,
  sample: Sample,
  { round, preference }: { readonly round: Round; readonly preference: string },
): Promise<JudgedRound | undefined> => {
  const judged = await judgeLater(deps, sample, round, preference);
  return saysSomething(sample, { round, judged }) ? { round, judged } : undefined;
};

/** Failures and refusals are the plain question's matter, and writes shift the statistics that an order by score hangs on. */
const saysSomething = (sample: Sample, { round, judged: { observation, baseline } }: JudgedRound): boolean => {
  if (round.authority.answer.status !== 200 || observation.discard !== undefined) return false;
  if (!isMild(observation) && !isOfDocuments(observation)) return false;
  if (!sample.baseline && !isMild(baseline)) return false;
  return !(isByScore(sample.request) && [observation, baseline].some((one) => one && isOfPage(one)));
};
