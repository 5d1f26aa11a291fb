/**
 * Leaves a request for the leader of a route. Nobody but the leader changes a phase: whoever wants something writes one
 * `Ask`, the leader carries it out and answers under `job.<slug>.ask`. Written by compare-and-set, so that two people
 * cannot overwrite each other's request without knowing.
 */
import { askResultName } from '../coordination/job-status.ts';
import { keys } from '../coordination/keys.ts';
import type { Store } from '../coordination/ports.ts';
import { Ask, AskResult } from '../coordination/records.ts';
import { CrossfadeError, isCrossfadeError } from '../errors.ts';
import { parseRecord } from '../coordination/parse-record.ts';

export type AskRequest = Pick<Ask, 'action' | 'phase' | 'args'> & { slug: string };
export type Submitted = { ask: Ask; revision: number };
export type AskDeps = {
  store: Store;
  by: string;
  reason: string;
  /** Milliseconds since the epoch, for people. */
  now(): number;
  sleep(ms: number): Promise<void>;
  newId(): string;
  /** Ends the wait for one's turn. */
  signal?: AbortSignal;
};

export const askPollMs = 250;

/** How long somebody waits: looks at a slow store count, and a clock that is set back makes no wait longer. */
export const stopwatch = (now: () => number): ((sleptMs: number) => number) => {
  const began = now();
  return (sleptMs) => Math.max(sleptMs, now() - began);
};

export const readResult = async (store: Store, slug: string): Promise<AskResult | undefined> =>
  parseRecord(AskResult, (await store.config.get(keys.job(slug, askResultName)))?.value);

export const isOver = (result: AskResult | undefined): boolean => result !== undefined && result.state !== 'running';

/** Somebody's newer request stands in the place of this one. */
export const isReplaced = async (store: Store, slug: string, { revision }: Submitted): Promise<boolean> => {
  const entry = await store.config.get(keys.ask(slug));
  return entry !== undefined && entry.revision > revision;
};

type Standing = { revision: number; open: Ask | undefined; taken: boolean };

/** The request that stands in the store: whether its answer is still to come, and whether a leader has begun it. */
const standing = async (store: Store, slug: string): Promise<Standing> => {
  const [entry, result] = await Promise.all([store.config.get(keys.ask(slug)), readResult(store, slug)]);
  const ask = parseRecord(Ask, entry?.value);
  const taken = ask !== undefined && result?.id === ask.id;
  return { revision: entry?.revision ?? 0, open: taken && isOver(result) ? undefined : ask, taken };
};

/** The request that a leader has yet to answer, if one stands. */
export const openAsk = async (store: Store, slug: string): Promise<Ask | undefined> =>
  (await standing(store, slug)).open;

/** Waits for an earlier request to be answered; one that nobody ever took up does not bar the way. */
const awaitTurn = async (deps: AskDeps, slug: string, turnMs: number): Promise<number> => {
  const { store, sleep, signal } = deps;
  const waited = stopwatch(deps.now);
  for (let sleptMs = 0; ; sleptMs += askPollMs) {
    const { revision, open, taken } = await standing(store, slug);
    if (open === undefined) return revision;
    if (waited(sleptMs) >= turnMs || signal?.aborted === true) {
      if (!taken) return revision;
      const message = `${open.action} asked by ${open.by} at ${open.at} is still being carried out.`;
      throw new CrossfadeError('STORE_CONFLICT', message);
    }
    await sleep(askPollMs);
  }
};

/** What ends something under way does not wait for it. */
const overtakes: ReadonlySet<Ask['action']> = new Set(['abort', 'pause', 'rollback']);

const compose = ({ by, reason, now, newId }: AskDeps, { action, phase, args }: AskRequest): Ask => ({
  schema: 1,
  id: newId(),
  action,
  ...(phase === undefined ? {} : { phase }),
  ...(args === undefined ? {} : { args }),
  by,
  reason,
  at: new Date(now()).toISOString(),
});

/** @throws CrossfadeError STORE_CONFLICT when an earlier request is still under way, or somebody asked at the same time */
export const submitAsk = async (deps: AskDeps, request: AskRequest, turnMs: number): Promise<Submitted> => {
  const { store } = deps;
  const { slug, action } = request;
  const expected = overtakes.has(action) ? (await standing(store, slug)).revision : await awaitTurn(deps, slug, turnMs);
  const ask = compose(deps, request);
  const written = await store.config.update(keys.ask(slug), JSON.stringify(ask), expected);
  if (written.ok) return { ask, revision: written.revision };
  if (written.reason === 'conflict')
    throw new CrossfadeError('STORE_CONFLICT', 'Somebody else asked for something at the same time.');
  return confirmWritten(store, { slug, ask, reason: written.reason });
};

type InDoubt = { slug: string; ask: Ask; reason: 'unknown' | 'unavailable' };

/** A write that timed out may have been applied: the store itself knows. */
const confirmWritten = async (store: Store, { slug, ask, reason }: InDoubt): Promise<Submitted> => {
  const entry = reason === 'unknown' ? await store.config.get(keys.ask(slug)).catch(() => undefined) : undefined;
  if (entry !== undefined && parseRecord(Ask, entry?.value)?.id === ask.id) return { ask, revision: entry.revision };
  throw new CrossfadeError(reason === 'unknown' ? 'STORE_OUTCOME_UNKNOWN' : 'STORE_UNAVAILABLE');
};

/** Takes a request back, unless somebody has written a newer one. @returns whether nothing of it is left */
export const withdrawAsk = async (store: Store, slug: string, revision: number): Promise<boolean> => {
  try {
    await store.config.delete(keys.ask(slug), revision);
    return true;
  } catch (error) {
    return isCrossfadeError(error, 'STORE_CONFLICT');
  }
};
