/**
 * Requests to the leader of a route. The command line changes no phase itself: it leaves one `Ask` in the store, the
 * leader carries it out and answers under `job.<slug>.ask`. A request that nobody takes up is withdrawn by
 * compare-and-set, so that an agent started hours later does not carry out a cutover that everybody has forgotten.
 */
import { askResultName } from '../coordination/job-status.ts';
import { keys } from '../coordination/keys.ts';
import type { Entry, Store } from '../coordination/ports.ts';
import { Ask, AskResult } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';

export type AskRequest = Pick<Ask, 'action' | 'phase' | 'args'> & { slug: string };
export type Submitted = { ask: Ask; revision: number };
export type WaitOptions = {
  /** How long a request may stand before a leader answers anything. */
  takeUpMs: number;
  /** Total wait; undefined = until the leader is done. */
  timeoutMs: number | undefined;
};

const pollMs = 250;

const parse = <T>(entry: Entry | undefined, schema: { safeParse(value: unknown): { success: boolean; data?: T } }) => {
  if (entry === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(entry.value)).data;
  } catch {
    return undefined;
  }
};

export const readResult = async (store: Store, slug: string): Promise<AskResult | undefined> =>
  parse(await store.config.get(keys.job(slug, askResultName)), AskResult);

const isOver = (result: AskResult | undefined): boolean => result !== undefined && result.state !== 'running';

/** The request that stands in the store and whether its answer is still to come. */
const standing = async (store: Store, slug: string): Promise<{ entry: Entry | undefined; open: Ask | undefined }> => {
  const [entry, result] = await Promise.all([store.config.get(keys.ask(slug)), readResult(store, slug)]);
  const ask = parse(entry, Ask);
  return { entry, open: ask !== undefined && !(result?.id === ask.id && isOver(result)) ? ask : undefined };
};

/** Waits for an earlier request to be answered; one that nobody ever took up does not bar the way. */
const awaitTurn = async ({ store, io }: CliContext, slug: string, waitMs: number): Promise<number> => {
  for (let waited = 0; ; waited += pollMs) {
    const { entry, open } = await standing(store, slug);
    if (open === undefined) return entry?.revision ?? 0;
    const taken = (await readResult(store, slug))?.id === open.id;
    if (waited >= waitMs || io.signal.aborted) {
      if (!taken) return entry?.revision ?? 0;
      throw new CrossfadeError(
        'STORE_CONFLICT',
        `${open.action} asked by ${open.by} at ${open.at} is still being carried out.`,
      );
    }
    await io.sleep(pollMs);
  }
};

/** Commands that end what is under way do not wait for it. */
const overtakes = new Set<Ask['action']>(['abort', 'pause', 'rollback']);

const revisionNow = async (store: Store, slug: string): Promise<number> =>
  (await store.config.get(keys.ask(slug)))?.revision ?? 0;

/** @throws CrossfadeError STORE_CONFLICT when an earlier request is still under way, or somebody asked at the same time */
export const submitAsk = async (context: CliContext, request: AskRequest, turnMs = 10_000): Promise<Submitted> => {
  const { store, options, io } = context;
  const { slug, action, phase, args } = request;
  const expected = overtakes.has(action) ? await revisionNow(store, slug) : await awaitTurn(context, slug, turnMs);
  const ask: Ask = {
    schema: 1,
    id: context.newId(),
    action,
    ...(phase === undefined ? {} : { phase }),
    ...(args === undefined ? {} : { args }),
    by: options.by,
    reason: options.reason,
    at: new Date(io.now()).toISOString(),
  };
  const written = await store.config.update(keys.ask(slug), JSON.stringify(ask), expected);
  if (written.ok) return { ask, revision: written.revision };
  if (written.reason === 'conflict')
    throw new CrossfadeError('STORE_CONFLICT', 'Somebody else asked for something at the same time.');
  return confirmWritten(store, slug, ask, written.reason);
};

/** A write that timed out may have been applied: the store itself knows. */
const confirmWritten = async (
  store: Store,
  slug: string,
  ask: Ask,
  reason: 'unknown' | 'unavailable',
): Promise<Submitted> => {
  const entry = reason === 'unknown' ? await store.config.get(keys.ask(slug)) : undefined;
  if (entry !== undefined && parse(entry, Ask)?.id === ask.id) return { ask, revision: entry.revision };
  throw new CrossfadeError(reason === 'unknown' ? 'STORE_OUTCOME_UNKNOWN' : 'STORE_UNAVAILABLE');
};

const withdraw = async ({ store }: CliContext, slug: string, revision: number): Promise<void> => {
  // A conflict means that somebody wrote a newer request: nothing of ours is left to withdraw.
  await store.config.delete(keys.ask(slug), revision).catch(() => undefined);
};

/**
 * The leader's final answer.
 * @throws CrossfadeError NO_LEADER (the request was withdrawn); CliError waiting, interrupted (the request goes on)
 */
export const awaitAnswer = async (
  context: CliContext,
  { slug, submitted }: { slug: string; submitted: Submitted },
  { takeUpMs, timeoutMs }: WaitOptions,
): Promise<AskResult> => {
  const { store, io } = context;
  let said = '';
  const mine = async (): Promise<AskResult | undefined> => {
    const result = await readResult(store, slug);
    return result?.id === submitted.ask.id ? result : undefined;
  };
  for (let waited = 0; ; waited += pollMs) {
    const result = await mine();
    if (result !== undefined && isOver(result)) return result;
    if (result !== undefined && result.message !== said) io.note(`  ${result.message}`);
    said = result?.message ?? said;
    if (io.signal.aborted) throw new CliError('interrupted', 'Stopped waiting; the request goes on.', `status ${slug}`);
    if (result === undefined && waited >= takeUpMs) {
      await withdraw(context, slug, submitted.revision);
      // A leader may have taken it up between the last look and the withdrawal.
      if ((await mine()) !== undefined) continue;
      throw new CrossfadeError('NO_LEADER', 'No agent took up the request in time; it was withdrawn.');
    }
    if (timeoutMs !== undefined && waited >= timeoutMs)
      throw new CliError('waiting', 'The request is still being carried out.', `status ${slug} --watch`);
    await io.sleep(pollMs);
  }
};
