/**
 * Commands that the leader of a route carries out: phase, advance, rollback, abort, pause, resume, finalize, verify,
 * repair. Each leaves a request in the store; with --wait the exit code tells how it ended.
 */

import { meant } from '../../config/closest.ts';
import { heartbeatPrefix } from '../../coordination/keys.ts';
import { pathBetween } from '../../coordination/phase-machine.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { type Ask, type AskResult, authorityIn, type Phase, phases } from '../../coordination/records.ts';
import { type ErrorCode, errorTable } from '../../errors.ts';
import { type Exit, exitOf } from '../../exit-codes.ts';
import { type AskRequest, submitAsk } from '../../fleet/ask-leader.ts';
import { heartbeatsIn } from '../../fleet/fleet-status.ts';
import { readFleet } from '../../fleet/read-fleet.ts';
import { askDeps, awaitAnswer, turnMs } from '../ask.ts';
import { CliError } from '../cli-error.ts';
import { confirm } from '../confirm.ts';
import type { CliContext, Outcome } from '../context.ts';
import { renderDetails } from '../render-details.ts';
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

const exitOfResult = ({ state, code, details }: AskResult): Exit => {
  // A check that ran to its end is done, and says so; scripts want to know what it found.
  if (state === 'done' && details?.['equal'] === false) return 'different';
  return state === 'failed' && code !== undefined && code in errorTable ? exitOf(code as ErrorCode) : exits[state];
};

const asked = ({ slug, action, phase }: AskRequest): string => [action, slug, phase].filter(Boolean).join(' ');

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
const judgedBy = { advance: 'safeToAdvance', rehearse: 'safeToAdvance', rollback: 'safeToRollBack' } as const;

const dryRun = async ({ store }: CliContext, request: AskRequest): Promise<Outcome> => {
  const text = `would ask: ${asked(request)}`;
  if (!(request.action in judgedBy)) return { text, json: { wouldAsk: request } };
  const route = (await readFleet(store)).routes.find((found) => found.route === request.slug);
  const answer = route?.[judgedBy[request.action as keyof typeof judgedBy]];
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
const advanceMeans: Record<Phase, string> = {
  off: 'It goes to observe: writes pass through an alias.',
  observe: 'It goes to dual: writes are copied to the target.',
  dual: 'This is the cutover: the target becomes the authority.',
  target: `It goes to final. ${finalMeans}`,
  final: 'It is complete already.',
};

/** Commands with nothing but a slug. Those with a question cannot be taken back by one opposite command. */
const leaderCommands = {
  advance: {
    action: 'advance',
    question: (slug, phase) => `Advance ${slug}? ${advanceMeans[phase]}`,
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

export const runLeaderCommand = async (
  context: CliContext,
  name: LeaderCommand,
  { slug, args, ...choice }: WaitChoice & { slug: string; args?: Record<string, unknown> },
): Promise<Outcome> => {
  const step: Step = leaderCommands[name];
  const state = await requireRoute(context.store, slug);
  if (step.question !== undefined) await confirm(context, step.question(slug, state.phase.phase));
  const request: AskRequest = { slug, action: step.action, ...(args === undefined ? {} : { args }) };
  return perform(context, request, { ...choice, ...(step.next === undefined ? {} : { next: step.next(slug) }) });
};

const parsePhase = (text: string): Phase => {
  const phase = phases.find((name) => name === text);
  if (phase === undefined) throw new CliError('usage', `${text} is no phase; ${meant(text, phases)}`);
  return phase;
};

/** A switch of authority has commands of its own, which say what they do. */
const refuseSwitch = ({ slug, phase: { phase: from } }: RouteState, to: Phase): void => {
  if (pathBetween(from, to) !== undefined) return;
  const back = authorityIn(to) === 'source';
  const message = `From ${from} the route reaches ${to} by a ${back ? 'rollback' : 'cutover'} only.`;
  throw new CliError('refused', message, `${back ? 'rollback' : 'advance'} ${slug} --wait`);
};

const nextAfter: Record<Phase, (slug: string) => string> = {
  off: (slug) => `status ${slug}`,
  observe: (slug) => `phase ${slug} dual`,
  dual: (slug) => `status ${slug} --watch`,
  target: (slug) => `status ${slug} --watch`,
  final: (slug) => `status ${slug}`,
};

const anyMember = async ({ store }: CliContext): Promise<boolean> =>
  heartbeatsIn(await store.live.list(heartbeatPrefix)).length > 0;

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
  const wait = choice.wait ?? (await anyMember(context));
  if (!wait && choice.wait === undefined) context.io.note('No agent is running; the request waits for the first one.');
  return perform(context, { slug, action: 'phase', phase: to }, { ...choice, wait, next });
};
