/**
 * Asks the follower on behalf of a client that must not notice it: any failure, and any answer that is not good enough,
 * ends with the authority; and a follower that does not answer within `hedgeMs` gets the authority as a rival, so that a
 * hung cluster costs a client that long and no more. The first good answer wins and the other request is given up. An error
 * of the authority waits as long again for the follower to do better.
 * Reads are safe to send twice; nothing else comes through here.
 */
import type { Timers } from '../../coordination/timers.ts';
import { isCrossfadeError } from '../../errors.ts';
import type { Breaker } from './breaker.ts';
import type { FallbackCause, Judgement } from './judge-follower.ts';
import type { AskedAnswer } from './ports.ts';

type Ask = (signal: AbortSignal) => Promise<AskedAnswer>;

export type FollowerQuestion = {
  readonly follower: Ask;
  readonly authority: Ask;
  readonly judge: (answer: AskedAnswer) => Judgement;
  readonly breaker: Pick<Breaker, 'settle'>;
  readonly hedgeMs: number;
  readonly timers: Timers;
  /** The client left. */
  readonly aborted: AbortSignal;
};

export type FollowerOutcome =
  /** `raw` is the body as the follower sent it, `answer` has the authority's tokens in it. */
  | { readonly kind: 'follower'; readonly answer: AskedAnswer; readonly raw: Buffer }
  /** `answer` is there when the authority was asked as a rival already. */
  | { readonly kind: 'authority'; readonly cause: FallbackCause; readonly answer: AskedAnswer | undefined };

type Judged = { readonly answer: AskedAnswer | undefined; readonly judgement: Judgement };

/** @throws CrossfadeError CLIENT_CLOSED */
export const askFollower = async (question: FollowerQuestion): Promise<FollowerOutcome> => {
  const giveUp = new AbortController();
  const signal = AbortSignal.any([question.aborted, giveUp.signal]);
  const judged = judgedAnswer(question, signal);
  const first = await orSlow(judged, question);
  if (first !== 'slow') return settled(first, question);
  return rival(question, judged, giveUp);
};

const judgedAnswer = async ({ follower, judge, aborted }: FollowerQuestion, signal: AbortSignal): Promise<Judged> => {
  try {
    const answer = await follower(signal);
    return { answer, judgement: judge(answer) };
  } catch (error) {
    if (aborted.aborted) throw error;
    return { answer: undefined, judgement: { kind: 'ask_authority', cause: causeOf(error), failed: true } };
  }
};

const causeOf = (error: unknown): FallbackCause => {
  if (isCrossfadeError(error, 'UPSTREAM_TIMEOUT')) return 'timeout';
  if (isCrossfadeError(error, 'UPSTREAM_UNREACHABLE')) return 'unreachable';
  return isCrossfadeError(error, 'UPSTREAM_BODY_TOO_LARGE') ? 'too_large' : 'reset';
};

const orSlow = async (judged: Promise<Judged>, { hedgeMs, timers }: FollowerQuestion): Promise<Judged | 'slow'> => {
  let cancel = (): void => {};
  const slow = new Promise<'slow'>((resolve) => {
    cancel = timers.set(() => resolve('slow'), hedgeMs);
  });
  try {
    return await Promise.race([judged, slow]);
  } finally {
    cancel();
  }
};

const settled = ({ answer, judgement }: Judged, { breaker }: FollowerQuestion): FollowerOutcome => {
  if (judgement.kind === 'use' && answer !== undefined) {
    breaker.settle('success');
    return { kind: 'follower', answer: { ...answer, body: judgement.body }, raw: answer.body };
  }
  const { cause, failed } = judgement as Extract<Judgement, { kind: 'ask_authority' }>;
  breaker.settle(failed ? 'failure' : 'success');
  return { kind: 'authority', cause, answer: undefined };
};

/** Both are under way. A good answer of either ends it; when neither is good the authority has the word. */
const rival = async (
  question: FollowerQuestion,
  judged: Promise<Judged>,
  followerGivesUp: AbortController,
): Promise<FollowerOutcome> => {
  const authorityGivesUp = new AbortController();
  const asked = question.authority(AbortSignal.any([question.aborted, authorityGivesUp.signal]));
  const authority = asked.then(
    (answer) => ({ answer }),
    () => ({ answer: undefined }),
  );
  const first = await Promise.race([judged, authority]);
  if (!('judgement' in first)) return lostToAuthority(question, { judged, first, followerGivesUp });
  const outcome = settled(first, question);
  if (outcome.kind === 'authority') return { ...outcome, answer: (await authority).answer };
  authorityGivesUp.abort();
  return outcome;
};

type AuthorityFirst = {
  readonly judged: Promise<Judged>;
  readonly first: { readonly answer: AskedAnswer | undefined };
  readonly followerGivesUp: AbortController;
};

const lostToAuthority = async (
  question: FollowerQuestion,
  { judged, first, followerGivesUp }: AuthorityFirst,
): Promise<FollowerOutcome> => {
  if (first.answer !== undefined && isServed(first.answer.status))
    return giveUpFollower(question, { judged, first, followerGivesUp });
  const late = await orSlow(judged, question);
  if (late === 'slow') return giveUpFollower(question, { judged, first, followerGivesUp });
  const outcome = settled(late, question);
  return outcome.kind === 'follower' ? outcome : { ...outcome, answer: first.answer };
};

const giveUpFollower = (
  { breaker }: FollowerQuestion,
  { judged, first, followerGivesUp }: AuthorityFirst,
): FollowerOutcome => {
  judged.catch(() => undefined);
  followerGivesUp.abort();
  breaker.settle('failure');
  return { kind: 'authority', cause: 'slow', answer: first.answer };
};

const isServed = (status: number): boolean => status < 500 && status !== 429;
