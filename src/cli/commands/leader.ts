/**
 * Commands that the leader of a route carries out: phase, advance, rollback, abort, pause, resume, finalize, verify,
 * repair. Each leaves a request in the store; with --wait the exit code tells how it ended.
 */
import { type AskRequest, submitAsk } from '../../app/ask-leader.ts';
import { heartbeatPrefix } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { type Ask, type AskResult, type Phase, phases } from '../../coordination/records.ts';
import { CrossfadeError, type ErrorCode, errorTable } from '../../errors.ts';
import { askDeps, awaitAnswer, turnMs } from '../ask.ts';
import { CliError } from '../cli-error.ts';
import { confirm } from '../confirm.ts';
import type { CliContext, Outcome } from '../context.ts';
import { type Exit, exitOf } from '../exit-codes.ts';
import { phasePath } from '../phase-path.ts';
import { requireRoute } from '../route-states.ts';

export type WaitChoice = { wait: boolean; timeoutSeconds: number | undefined };
/** A leader is elected within a lease's time after the last one died. */
const takeUpMs = 30_000;

const exits: Record<AskResult['state'], Exit> = {
  done: 'done',
  refused: 'refused',
  aborted: 'aborted',
  failed: 'failed',
  running: 'waiting',
};

const exitOfResult = ({ state, code }: AskResult): Exit =>
  state === 'failed' && code !== undefined && code in errorTable ? exitOf(code as ErrorCode) : exits[state];

const asked = ({ slug, action, phase }: AskRequest): string => [action, slug, phase].filter(Boolean).join(' ');

const outcomeOf = (request: AskRequest, result: AskResult, next: string | undefined): Outcome => ({
  text: `${asked(request)}: ${result.state}. ${result.message}`.trim(),
  json: { request: asked(request), ...result },
  next: result.state === 'done' ? next : `status ${request.slug}`,
  exit: exitOfResult(result),
});

const waitOptions = ({ timeoutSeconds }: WaitChoice) => {
  const timeoutMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
  return { takeUpMs: Math.min(takeUpMs, timeoutMs ?? takeUpMs), timeoutMs };
};

const perform = async (
  context: CliContext,
  request: AskRequest,
  choice: WaitChoice & { next?: string },
): Promise<Outcome> => {
  if (context.options.dryRun) return { text: `would ask: ${asked(request)}`, json: { wouldAsk: request } };
  const submitted = await submitAsk(askDeps(context), request, turnMs);
  if (!choice.wait) {
    const json = { request: asked(request), id: submitted.ask.id, state: 'asked' };
    return { text: `asked: ${asked(request)}`, json, next: `status ${request.slug} --watch` };
  }
  const result = await awaitAnswer(context, { slug: request.slug, submitted }, waitOptions(choice));
  return outcomeOf(request, result, choice.next);
};

type Step = { action: Ask['action']; question?: (slug: string) => string; next?: (slug: string) => string };

/** Commands with nothing but a slug. Those with a question cannot be taken back by one opposite command. */
export const leaderCommands = {
  advance: {
    action: 'advance',
    question: (slug) => `Advance ${slug} to its next stage? In dual with a complete backfill this is the cutover.`,
    next: (slug) => `status ${slug}`,
  },
  rehearse: { action: 'rehearse', next: (slug) => `advance ${slug} --wait --yes` },
  rollback: {
    action: 'rollback',
    question: (slug) => `Roll ${slug} back, making the source the authority again?`,
    next: (slug) => `status ${slug}`,
  },
  abort: { action: 'abort', next: (slug) => `status ${slug}` },
  pause: { action: 'pause', next: (slug) => `resume ${slug}` },
  resume: { action: 'resume', next: (slug) => `status ${slug} --watch` },
  finalize: {
    action: 'finalize',
    question: (slug) => `Finalize ${slug}? The source is write-blocked and a rollback is no longer possible.`,
    next: (slug) => `status ${slug}`,
  },
  verify: { action: 'verify', next: (slug) => `status ${slug}` },
  repair: { action: 'repair', next: (slug) => `verify ${slug} --wait` },
} as const satisfies Record<string, Step>;
export type LeaderCommand = keyof typeof leaderCommands;

export const runLeaderCommand = async (
  context: CliContext,
  name: LeaderCommand,
  { slug, args, ...choice }: WaitChoice & { slug: string; args?: Record<string, unknown> },
): Promise<Outcome> => {
  const step: Step = leaderCommands[name];
  await requireRoute(context.store, slug);
  if (step.question !== undefined) await confirm(context, step.question(slug));
  const request: AskRequest = { slug, action: step.action, ...(args === undefined ? {} : { args }) };
  return perform(context, request, { ...choice, ...(step.next === undefined ? {} : { next: step.next(slug) }) });
};

const parsePhase = (text: string): Phase => {
  const phase = phases.find((name) => name === text);
  if (phase === undefined) throw new CliError('usage', `${text} is no phase; there are ${phases.join(', ')}`);
  return phase;
};

const pathTo = (state: RouteState, to: Phase): Phase[] => {
  const path = phasePath(state.phase.phase, to);
  if (path !== undefined) return path;
  const back = state.phase.phase === 'target' && to !== 'final';
  const next = back ? `rollback ${state.slug} --wait` : `advance ${state.slug} --wait`;
  const message = `From ${state.phase.phase} the route reaches ${to} by a ${back ? 'rollback' : 'cutover'} only.`;
  throw new CliError('refused', message, next);
};

const nextAfter: Record<Phase, (slug: string) => string> = {
  off: (slug) => `status ${slug}`,
  observe: (slug) => `phase ${slug} dual`,
  dual: (slug) => `status ${slug} --watch`,
  target: (slug) => `status ${slug} --watch`,
  final: (slug) => `status ${slug}`,
};

const anyMember = async ({ store }: CliContext): Promise<boolean> =>
  (await store.live.list(heartbeatPrefix)).length > 0;

/**
 * `phase <slug> <phase>` walks the moves between here and there one by one and waits for each, because each must be taken
 * by every member before the next. Where no agent runs yet, the request is left for the first one.
 */
export const runPhase = async (
  context: CliContext,
  {
    slug,
    to: text,
    ...choice
  }: { slug: string; to: string; wait: boolean | undefined; timeoutSeconds: number | undefined },
): Promise<Outcome> => {
  const to = parsePhase(text);
  const state = await requireRoute(context.store, slug);
  const path = pathTo(state, to);
  if (path.length === 0)
    return {
      text: `${slug} is in ${to} already`,
      json: { route: slug, phase: to, state: 'done' },
      next: nextAfter[to](slug),
    };
  // Several moves cannot be left in one request, so they wait for an agent; a single one may be left for the first.
  const wait = choice.wait ?? (path.length > 1 || (await anyMember(context)));
  if (!wait && choice.wait === undefined) context.io.note('No agent is running; the request waits for the first one.');
  const steps = wait ? path : [to];
  return walk(context, { slug, steps, choice: { ...choice, wait, next: nextAfter[to](slug) } });
};

type Walk = { slug: string; steps: readonly Phase[]; choice: WaitChoice & { next: string } };

const walk = async (context: CliContext, { slug, steps, choice }: Walk): Promise<Outcome> => {
  let outcome: Outcome | undefined;
  for (const phase of steps) {
    outcome = await perform(context, { slug, action: 'phase', phase }, choice);
    if (outcome.exit !== undefined && outcome.exit !== 'done') return outcome;
  }
  if (outcome === undefined) throw new CrossfadeError('INTERNAL');
  return outcome;
};
