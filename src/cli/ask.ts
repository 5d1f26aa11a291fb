/**
 * Waits for the answer to a request. One that nobody takes up is withdrawn by compare-and-set, so that an agent started
 * hours later does not carry out a cutover that everybody has forgotten.
 */

import { answerTo } from '../coordination/ask-answers.ts';
import type { AskResult } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import {
  type AskDeps,
  askPollMs,
  isOver,
  isReplaced,
  readResult,
  stopwatch,
  type Submitted,
  withdrawAsk,
} from '../fleet/ask-leader.ts';
import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';

export type WaitOptions = {
  /** How long a request may stand before a leader answers anything. */
  takeUpMs: number;
  /** Total wait; undefined = until the leader is done. */
  timeoutMs: number | undefined;
};

/** Long enough for a short request of somebody else to end. */
export const turnMs = 10_000;

export const askDeps = ({ store, io, options, newId }: CliContext): AskDeps => ({
  store,
  by: options.by,
  reason: options.reason,
  now: io.now,
  sleep: io.sleep,
  newId,
  signal: io.signal,
});

/** Longer than a leader needs to take up a request that it has just read. */
const replacedMs = 3_000;

const notWithdrawn = (): CrossfadeError =>
  new CrossfadeError(
    'STORE_OUTCOME_UNKNOWN',
    'No agent took up the request in time, and it could not be withdrawn: an agent may still carry it out.',
  );

/**
 * @throws CrossfadeError NO_LEADER (the request was withdrawn), STORE_CONFLICT (somebody else's stands in its place),
 * STORE_OUTCOME_UNKNOWN (it may still stand)
 */
const giveUp = async (
  { store }: CliContext,
  { slug, submitted }: { slug: string; submitted: Submitted },
  isTakenUp: () => Promise<boolean>,
): Promise<void> => {
  const replaced = await isReplaced(store, slug, submitted);
  const isGone = replaced || (await withdrawAsk(store, slug, submitted.revision));
  if (!isGone && !(await isTakenUp().catch(() => false))) throw notWithdrawn();
  // A leader may have taken it up between the last look and the withdrawal.
  if (await isTakenUp()) return;
  if (!replaced) throw new CrossfadeError('NO_LEADER', 'No agent took up the request in time; it was withdrawn.');
  throw new CrossfadeError('STORE_CONFLICT', 'Somebody else asked for something before an agent took up the request.');
};

/**
 * The leader's final answer.
 * @throws CrossfadeError as above; CliError waiting, interrupted (the request goes on)
 */
export const awaitAnswer = async (
  context: CliContext,
  mine: { slug: string; submitted: Submitted },
  { takeUpMs, timeoutMs }: WaitOptions,
): Promise<AskResult> => {
  const { store, io } = context;
  const { slug, submitted } = mine;
  const answer = async () => answerTo(await readResult(store, slug), submitted.ask.id);
  const isTakenUp = async () => (await answer()) !== undefined;
  let said = '';
  const waited = stopwatch(io.now);
  for (let sleptMs = 0; ; sleptMs += askPollMs) {
    const waitedMs = waited(sleptMs);
    const result = await answer();
    if (result !== undefined && isOver(result)) return result;
    if (result !== undefined && result.message !== said) io.note(`  ${result.message}`);
    said = result?.message ?? said;
    if (io.signal.aborted) throw new CliError('interrupted', 'Stopped waiting; the request goes on.', `status ${slug}`);
    if (
      result === undefined &&
      (waitedMs >= takeUpMs || (waitedMs >= replacedMs && (await isReplaced(store, slug, submitted))))
    )
      await giveUp(context, mine, isTakenUp);
    if (timeoutMs !== undefined && waitedMs >= timeoutMs)
      throw new CliError('waiting', 'The request is still being carried out.', `status ${slug} --watch`);
    await io.sleep(askPollMs);
  }
};
