/**
 * Commands that the leader of a route carries out: phase, advance, rollback, abort, pause, resume, finalize, verify,
 * repair. Each leaves a request in the store; with --wait the exit code tells how it ended.
 */

import { meant } from '../../config/closest.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { type Ask, type AskResult, type Phase, phases } from '../../coordination/records.ts';
import { noWay, switchBetween } from '../../coordination/step-rules.ts';
import { CrossfadeError, type ErrorCode, errorTable } from '../../errors.ts';
import { type Exit, exitOf } from '../../exit-codes.ts';
import { type AskRequest, submitAsk } from '../../fleet/ask-leader.ts';
import { readFleet } from '../../fleet/read-fleet.ts';
import { askDeps, awaitAnswer, turnMs } from '../ask.ts';
import { CliError } from '../cli-error.ts';
import { confirm } from '../confirm.ts';
import type { CliContext, Outcome } from '../context.ts';
import { renderDetails } from '../render-details.ts';
import { anyMember, requireRoute } from '../route-states.ts';

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

const exitOfResult = ({ state, code, details }: AskResult): Exit => {
  // A check that ran to its end is done, and says so; scripts want to know what it found.
  if (state === 'done' && details?.['equal'] === false) return 'different';
  return state === 'failed' && code !== undefined && code in errorTable ? exitOf(code as ErrorCode) : exits[state];
};

const asked = ({ slug, action, phase }: AskRequest): string =>
  [action, slug, action === 'phase' ? phase : undefined].filter(Boolean).join(' ');

const outcomeOf = (request: AskRequest, result: AskResult, next: string | undefined): Outcome => ({
  text: [`${asked(request)}: ${result.state}. ${result.message}`.trim(), renderDetails(result.details)]
    .filter((part) => part !== '')
    .join('\n'),
  json: { request: asked(request), ...result },
  next: result.state === 'done' ? next : `status ${request.slug}`,
  exit: exitOfResult(result),
});

const waitOptions = ({ timeoutSeconds }: WaitChoice) => {
  const timeoutMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
  return { takeUpMs: Math.min(takeUpMs, timeoutMs ?? takeUpMs), timeoutMs };
};

/** Which of the two answers in the status tells how a request would end; the leader judges again when it is asked. */
const judgedBy = ({ action }: AskRequest, phase: Phase): 'safeToAdvance' | 'safeToRollBack' | undefined => {
  if (action === 'advance') return 'safeToAdvance';
  if (action === 'rehearse') return phase === 'target' ? 'safeToRollBack' : 'safeToAdvance';
  return action === 'rollback' ? 'safeToRollBack' : undefined;
};

const dryRun = async ({ store }: CliContext, request: AskRequest): Promise<Outcome> => {
  const text = `would ask: ${asked(request)}`;
  const route = (await readFleet(store)).routes.find((found) => found.route === request.slug);
  const judged = judgedBy(request, route?.phase ?? 'off');
  if (judged === undefined) return { text, json: { wouldAsk: request } };
  const barred = noWay(request.action, route?.phase ?? 'off');
  const answer = barred === undefined ? route?.[judged] : { ok: false, reasons: [barred] };
  const reasons = answer?.reasons.map((reason) => `\n  ✗ ${reason}`).join('') ?? '';
  const outlook = answer?.ok === true ? 'its conditions hold now' : `it would be refused now:${reasons}`;
  return { text: `${text}\n${outlook}`, json: { wouldAsk: request, conditions: answer ?? null } };
};

const perform = async (
  context: CliContext,
  request: AskRequest,
  choice: WaitChoice & { next?: string },
): Promise<Outcome> => {
  if (context.options.dryRun) return dryRun(context, request);
  const { takeUpMs: patienceMs } = waitOptions(choice);
  const submitted = await submitAsk(askDeps(context), request, Math.min(turnMs, patienceMs));
  if (!choice.wait) {
    const json = { request: asked(request), id: submitted.ask.id, state: 'asked' };
    return { text: `asked: ${asked(request)}`, json, next: `status ${request.slug} --watch` };
  }
  const result = await awaitAnswer(context, { slug: request.slug, submitted }, waitOptions(choice));
  return outcomeOf(request, result, choice.next);
};

type Step = {
  action: Ask['action'];
  question?: (slug: string, phase: Phase) => string;
  next?: (slug: string) => string;
};

const finalMeans = 'The source is write-blocked and a rollback is no longer possible.';
const advanceMeans: Partial<Record<Phase, string>> = {
  off: 'It goes to observe: writes pass through an alias.',
  observe: 'It goes to dual: writes are copied to the target.',
  dual: 'This is the cutover: the target becomes the authority.',
};

/** Commands with nothing but a slug. Those with a question cannot be taken back by one opposite command. */
const leaderCommands = {
  advance: {
    action: 'advance',
    question: (slug, phase) => `Advance ${slug}? ${advanceMeans[phase] ?? ''}`,
    next: (slug) => `status ${slug}`,
  },
  rehearse: { action: 'rehearse', next: (slug) => `advance ${slug} --wait --yes` },
  rollback: {
    action: 'rollback',
    question: (slug, phase) =>
      phase === 'target'
        ? `Roll ${slug} back? The source becomes the authority again.`
        : `Bring all reads of ${slug} home?`,
    next: (slug) => `status ${slug}`,
  },
  abort: { action: 'abort', next: (slug) => `status ${slug}` },
  pause: { action: 'pause', next: (slug) => `resume ${slug}` },
  resume: { action: 'resume', next: (slug) => `status ${slug} --watch` },
  finalize: {
    action: 'finalize',
    question: (slug) => `Finalize ${slug}? ${finalMeans}`,
    next: (slug) => `status ${slug}`,
  },
  verify: { action: 'verify', next: (slug) => `status ${slug}` },
  repair: { action: 'repair', next: (slug) => `verify ${slug} --wait` },
} as const satisfies Record<string, Step>;
export type LeaderCommand = keyof typeof leaderCommands;

const refuseNoWay = (request: AskRequest, phase: Phase): void => {
  const barred = noWay(request.action, phase);
  const next = request.action === 'advance' && phase === 'target' ? 'finalize' : 'status';
  if (barred !== undefined) throw new CliError('refused', `${asked(request)}: ${barred}`, `${next} ${request.slug}`);
};

/** What nobody may be surprised by hours later, when an agent is started. */
const movesAuthority: ReadonlySet<Ask['action']> = new Set(['advance', 'rehearse', 'rollback', 'finalize']);

/** With --wait the request is withdrawn when no agent takes it up; without, nobody is left to do that. */
const requireMember = async (context: CliContext): Promise<void> => {
  if (context.options.dryRun || (await anyMember(context.store))) return;
  throw new CrossfadeError('NO_LEADER', 'No agent is running; nothing was asked. With --wait one has half a minute.');
};

export const runLeaderCommand = async (
  context: CliContext,
  name: LeaderCommand,
  { slug, args, ...choice }: WaitChoice & { slug: string; args?: Record<string, unknown> },
): Promise<Outcome> => {
  const step: Step = leaderCommands[name];
  const { phase } = (await requireRoute(context.store, slug)).phase;
  // What is confirmed is one step, and somebody else may take it first.
  const from = step.action === 'advance' || step.action === 'rollback' ? { phase } : {};
  const request: AskRequest = { slug, action: step.action, ...from, ...(args === undefined ? {} : { args }) };
  if (!context.options.dryRun) refuseNoWay(request, phase);
  if (!choice.wait && movesAuthority.has(step.action)) await requireMember(context);
  if (step.question !== undefined) await confirm(context, step.question(slug, phase));
  return perform(context, request, { ...choice, ...(step.next === undefined ? {} : { next: step.next(slug) }) });
};

const parsePhase = (text: string): Phase => {
  const phase = phases.find((name) => name === text);
  if (phase === undefined) throw new CliError('usage', `${text} is no phase; ${meant(text, phases)}`);
  return phase;
};

/** A switch of authority, and the end of a migration, have commands of their own, which say what they do. */
const refuseSwitch = ({ slug, phase: { phase: from } }: RouteState, to: Phase): void => {
  if (to === 'final' && from === 'target')
    throw new CliError('refused', `finalize takes ${slug} to final. ${finalMeans}`, `finalize ${slug} --wait`);
  const needed = switchBetween(from, to);
  if (needed === undefined) return;
  const message = `From ${from} the route reaches ${to} by a ${needed} only.`;
  throw new CliError('refused', message, `${needed === 'rollback' ? 'rollback' : 'advance'} ${slug} --wait`);
};

const nextAfter: Record<Phase, (slug: string) => string> = {
  off: (slug) => `status ${slug}`,
  observe: (slug) => `phase ${slug} dual`,
  dual: (slug) => `status ${slug} --watch`,
  target: (slug) => `status ${slug} --watch`,
  final: (slug) => `status ${slug}`,
};

/** Hours of work may hang on it, and no opposite command brings them back. */
const losesBackfill = (from: Phase, to: Phase): boolean => from === 'dual' && (to === 'observe' || to === 'off');

type PhaseChoice = { slug: string; to: string; wait: boolean | undefined; timeoutSeconds: number | undefined };

/** Waits by default, since scripts move on with the next command; where no agent runs, the request is left for the first. */
export const runPhase = async (context: CliContext, { slug, to: text, ...choice }: PhaseChoice): Promise<Outcome> => {
  const to = parsePhase(text);
  const state = await requireRoute(context.store, slug);
  const next = nextAfter[to](slug);
  refuseSwitch(state, to);
  if (state.phase.phase === to && state.phase.hold === undefined)
    return { text: `${slug} is in ${to} already`, json: { route: slug, phase: to, state: 'done' }, next };
  if (losesBackfill(state.phase.phase, to))
    await confirm(context, `Take ${slug} from dual to ${to}? Copies end; coming back begins with a new backfill.`);
  const wait = choice.wait ?? (await anyMember(context.store));
  if (!wait && choice.wait === undefined) context.io.note('No agent is running; the request waits for the first one.');
  return perform(context, { slug, action: 'phase', phase: to }, { ...choice, wait, next });
};
