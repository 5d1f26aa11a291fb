/**
 * Carries out a reindex. Into a routed index it is a write like a by-query: through the epoch alias, under a ticket that
 * lasts until it has ended, found by the tail, swept when it deleted; while the follower may serve reads its answer waits
 * until the tail has been there. Otherwise it only needs to run where its indices
 * are.
 */
import type { RouteState, Ticket } from '../../coordination/ports.ts';
import { CrossfadeError } from '../../errors.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import { addParam, getFlag, getParam, setParam } from '../query.ts';
import type { Plan, RequestHead } from '../types.ts';
import { clientHeaders } from './answer-client.ts';
import {
  admit,
  aliasIsFenced,
  awaitReplay,
  metFence,
  mayHaveBeenApplied,
  recordByQuery,
  recordUnknown,
  replayBudgetMs,
  sendTo,
} from './attempts.ts';
import { awaitTail } from './await-tail.ts';
import { respondWith } from './by-query.ts';
import { type ByQueryCounts, readCounts, unfilteredQuery } from './by-query-request.ts';
import { credentialsOf } from './credentials.ts';
import { fencing, mentionsDenial, mentionsFence } from './fence.ts';
import { authorityOf, isCopying, pathWithQuery, writeName } from './names.ts';
import type { WriteClient, WriteDeps } from './ports.ts';
import { planReindexBody, type ReindexPlan, reindexBody } from './reindex-request.ts';
import { wrongVersionsOfReindex } from './refusals.ts';
import { type RequestBody, readRequestBody } from './request-body.ts';
import { followTask, showTask, taskOf } from './tasks.ts';

type Reindex = Extract<Plan, { kind: 'reindex' }>;
type Context = { readonly deps: WriteDeps; readonly client: WriteClient; readonly body: RequestBody };

export const createReindex =
  (deps: WriteDeps) =>
  async (client: WriteClient, _plan: Reindex): Promise<void> => {
    const body = await readRequestBody(client, deps.limits.maxBodyBytes);
    const context = { deps, client, body };
    if (body.bytes.length > 0 && !body.json)
      throw new CrossfadeError('UNSUPPORTED', 'The body of a reindex must be JSON to be routed.');
    let deadlineMs: number | undefined;
    for (;;) {
      const plan = planNow(context);
      if (plan.dest === undefined) return runUnrouted(context, plan);
      client.trace.routeSlug = plan.dest.state.slug;
      const ticket = await admit(deps, client, { slug: plan.dest.state.slug, kind: 'by_query' });
      const settled = replanned(context, ticket);
      if (settled === undefined) continue;
      if ((await runRouted(context, { plan: settled, ticket })) === 'done') return;
      deadlineMs ??= deps.now() + replayBudgetMs(ticket.state);
      await awaitReplay(deps, ticket.state, deadlineMs);
    }
  };

const planNow = ({ deps, body }: Context): ReindexPlan =>
  planReindexBody(body.bytes, {
    table: deps.table(),
    date: deps.date?.() ?? new Date(),
    sameCluster: deps.sameCluster ?? false,
  });

/** What is to be done under the ticket's state; undefined when the destination meanwhile leads elsewhere. */
const replanned = (context: Context, ticket: Ticket): ReindexPlan | undefined => {
  try {
    const plan = planNow(context);
    if (plan.dest?.state.slug === ticket.state.slug) {
      refuseVersions(context, plan, ticket.state);
      return plan;
    }
  } catch (error) {
    ticket.done();
    throw error;
  }
  ticket.done();
  return undefined;
};

/** @throws CrossfadeError UNSUPPORTED */
const refuseVersions = ({ deps }: Context, { versionType }: ReindexPlan, state: RouteState): void => {
  const reason = wrongVersionsOfReindex(state, versionType);
  if (reason === undefined) return;
  deps.onEvent?.({ kind: 'version_mode_mismatch', slug: state.slug });
  throw new CrossfadeError('UNSUPPORTED', reason);
};

const runUnrouted = async ({ deps, client, body }: Context, plan: ReindexPlan): Promise<void> => {
  const bytes = reindexBody(body.bytes, plan, undefined);
  const request = {
    method: client.head.method,
    path: pathWithQuery(client.head),
    headers: body.headers,
    body: bytes.length === 0 ? undefined : bytes,
  };
  const answer = await sendTo(deps, client, { side: plan.side, request });
  const [source] = plan.sources;
  if (source !== undefined)
    respondWith(client, wrapped(deps, answer, { side: plan.side, state: source.state }), source.state);
  else client.respond({ status: answer.status, headers: clientHeaders(answer.headers, new Map()), body: answer.body });
};

const wrapped = (
  deps: WriteDeps,
  answer: UpstreamAnswer,
  { side, state }: { side: ReindexPlan['side']; state: RouteState },
): UpstreamAnswer => {
  const task = answer.status === 200 ? taskOf(answer.body) : undefined;
  if (task === undefined) return answer;
  return { ...answer, body: showTask(deps, answer.body, { task, side, reign: state.phase.reign }) };
};

type Routed = { readonly plan: ReindexPlan; readonly ticket: Ticket };

const runRouted = async (context: Context, routed: Routed): Promise<'done' | 'fenced'> => {
  const { deps, client, body } = context;
  const { ticket, plan } = routed;
  const { state } = ticket;
  const ordinal = plan.dest?.ordinal ?? 0;
  const sentMs = deps.now();
  const answer = await send(context, routed);
  const tookMs = deps.now() - sentMs;
  const task = answer.status === 200 ? taskOf(answer.body) : undefined;
  const { side } = plan;
  const headers = credentialsOf(body.headers);
  const alias = writeName(state, ordinal);
  const met =
    task === undefined
      ? isFenced(deps, answer, { state, alias, headers, isHidden: hidesFailures(client.head) })
      : aliasIsFenced(deps, { side, alias, headers });
  if (await met) {
    ticket.done();
    return 'fenced';
  }
  const ended =
    task === undefined ? Promise.resolve(readCounts(answer.body)) : followTask(deps, { side, id: task.id, headers });
  const settled = ended
    .then((counts) => settle(deps, state, { ordinal, counts, status: answer.status }))
    .finally(() => ticket.done());
  if (task === undefined && answer.status < 300) await settled.then(() => awaitTail(deps, { client, state, tookMs }));
  respondWith(client, wrapped(deps, answer, { side, state }), state);
  return 'done';
};

const send = async ({ deps, client, body }: Context, { plan, ticket }: Routed): Promise<UpstreamAnswer> => {
  const { head } = client;
  const path = pathWithQuery({ path: head.path, query: requireAlias(unfilteredQuery(head)) });
  const bytes = reindexBody(body.bytes, plan, ticket.state);
  try {
    const request = { method: head.method, path, headers: body.headers, body: bytes };
    return await sendTo(deps, client, { side: plan.side, request });
  } catch (error) {
    if (mayHaveBeenApplied(error)) recordUnknown(deps, ticket.state, true);
    ticket.done();
    throw error;
  }
};

const requireAlias = (query: string): string =>
  getFlag(query, 'require_alias') === false
    ? setParam(query, 'require_alias', 'true')
    : addParam(query, 'require_alias', 'true');

/** The cluster itself filters what is no JSON. */
const hidesFailures = (head: RequestHead): boolean => getParam(unfilteredQuery(head), 'filter_path') !== undefined;

type Sent = { state: RouteState; alias: string; headers: UpstreamAnswer['headers']; isHidden: boolean };
/** The first batch meets the fence whole and the reindex stops there, so that nothing was written. */
const isFenced = async (deps: WriteDeps, { status, body }: UpstreamAnswer, sent: Sent): Promise<boolean> => {
  if (mentionsFence(body)) return true;
  if (status === 200 && sent.isHidden) return aliasIsFenced(deps, { ...sent, side: authorityOf(sent.state) });
  const verdict = mentionsDenial(body) ? 'denied' : fencing(status, body, sent.alias);
  return metFence(deps, { verdict, ...sent });
};

type Ended = { ordinal: number; counts: ByQueryCounts | undefined; status: number };
const settle = (deps: WriteDeps, state: RouteState, { ordinal, counts, status }: Ended): void => {
  const refused = counts === undefined && status >= 400 && status < 500;
  if (refused) return;
  recordByQuery(deps, state, { ordinal, counts });
  if (!isCopying(state) || counts?.deleted === 0) return;
  deps.copies.sweepNeeded(state.slug, 'by_query');
  deps.onUnlistedDeletes?.(state);
};
