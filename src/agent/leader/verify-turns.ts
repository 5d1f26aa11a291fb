/**
 * Walks a verification a few pages in each turn of the leader, so that tail, asks and the brake never wait for one that
 * takes hours. Its state stands in the store under the ask it belongs to: a successor goes on where the leader died, and
 * a newer ask simply leaves it behind. A cluster that is out of reach is waited for, some minutes without a step at most.
 * Invariant: what is stored was confirmed, and nothing is counted twice.
 */
import * as z from 'zod';
import { keys } from '../../coordination/keys.ts';
import { parseRecord } from '../../coordination/parse-record.ts';
import { CrossfadeError } from '../../errors.ts';
import { createPacer, type Pacer } from '../pacer.ts';
import { isPassing } from '../retry.ts';
import { beginVerify, type VerifyAsk, type VerifyEnd, verifyStep } from '../verify.ts';
import type { VerifyIo } from '../verify-io.ts';
import { VerifyState } from '../verify-state.ts';
import type { Leading } from './leading.ts';

const Walking = z.object({ ask: z.string(), state: VerifyState });
/** Longer, and the tail would count as behind. */
const turnMs = 2_000;
const pagesPerStep = 4;

export type Walk = VerifyAsk & { ask: string };

const verifyKey = ({ deps }: Leading): string => keys.job(deps.slug, 'verify');

const load = async (leading: Leading, ask: string): Promise<VerifyState | undefined> => {
  const entry = await leading.deps.store.config.get(verifyKey(leading));
  const walking = parseRecord(Walking, entry?.value);
  return walking?.ask === ask ? walking.state : undefined;
};

const save = async (leading: Leading, ask: string, state: VerifyState): Promise<void> => {
  await leading.deps.store.config.put(verifyKey(leading), JSON.stringify({ ask, state }));
};

const patienceMs = 300_000;
const standstill = new WeakMap<Leading, { ask: string; sinceMs: number }>();

/** Tried again in the next turn. @throws UPSTREAM_REFUSED when that was so for long */
const waitOut = (leading: Leading, ask: string, detail: string): undefined => {
  const nowMs = leading.deps.runtime.now();
  const known = standstill.get(leading);
  const sinceMs = known?.ask === ask ? known.sinceMs : nowMs;
  standstill.set(leading, { ask, sinceMs });
  if (nowMs - sinceMs < patienceMs) return undefined;
  standstill.delete(leading);
  throw new CrossfadeError(
    'UPSTREAM_REFUSED',
    `${detail}; nothing could be verified for ${patienceMs / 60_000} minutes`,
  );
};

type Stopped = { kind: VerifyEnd['kind']; detail: string };
const endOf = (end: VerifyEnd): Stopped => ({ detail: end.kind, ...end });

const stop = (leading: Leading, ask: string, { kind, detail }: Stopped): undefined => {
  if (kind === 'unavailable') return waitOut(leading, ask, detail);
  throw new CrossfadeError('UPSTREAM_REFUSED', detail);
};

const beginAnew = async (walk: Walk, io: VerifyIo): Promise<Awaited<ReturnType<typeof beginVerify>>> => {
  try {
    return await beginVerify(walk, io);
  } catch (error) {
    if (!isPassing(error)) throw error;
    return { kind: 'unavailable', detail: error instanceof Error ? error.message : String(error) };
  }
};

const start = async (leading: Leading, walk: Walk, io: VerifyIo): Promise<Awaited<ReturnType<typeof beginVerify>>> => {
  const state = await load(leading, walk.ask);
  return state === undefined ? beginAnew(walk, io) : { kind: 'ok', state };
};

/** The rate that was set for the route holds here too; a pause stops moving documents, not looking at them. */
const pacerOf = ({ deps }: Leading, signal: AbortSignal): Pacer => {
  const rate = () => {
    const asked = deps.state()?.rate;
    return typeof asked === 'number' ? asked : undefined;
  };
  return createPacer({ runtime: deps.runtime, rate, signal });
};

const paced = (io: VerifyIo, pacer: Pacer, signal: AbortSignal): VerifyIo => ({
  ...io,
  signal,
  maxPages: pagesPerStep,
  limits: { ...io.limits, maxPageDocs: pacer.pageDocs(io.limits.maxPageDocs) },
  onPage: (page) => pacer.wait(page),
});

/** The finished state, or undefined when it goes on in the next turn. */
export const walkOn = async (
  leading: Leading,
  walk: Walk,
  { io, signal }: { io: VerifyIo; signal: AbortSignal },
): Promise<VerifyState | undefined> => {
  const { runtime, lease } = leading.deps;
  const pacer = pacerOf(leading, signal);
  const until = runtime.now() + turnMs;
  const begun = await start(leading, walk, { ...io, signal });
  if (signal.aborted) return undefined;
  if (begun.kind !== 'ok') return stop(leading, walk.ask, begun);
  let at = begun.state;
  do {
    const step = await verifyStep(at, paced(io, pacer, signal));
    // A long step must not cost the lease's trust, nor hide that somebody else leads.
    if (!lease.isHeld()) throw new CrossfadeError('NO_LEADER', 'the lease was lost while verifying');
    if (signal.aborted) return undefined;
    if (step.kind !== 'done' && step.kind !== 'more') return stop(leading, walk.ask, endOf(step));
    standstill.delete(leading);
    at = step.state;
    await save(leading, walk.ask, at);
    if (step.kind === 'done') return at;
  } while (runtime.now() < until);
  return undefined;
};
