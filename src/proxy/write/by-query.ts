/**
 * Carries out update- and delete-by-query: run by the authority alone, through the epoch alias. What changed reaches the
 * follower through the tail; what was deleted is repaired by the ids found beforehand, or left to a sweep. While reads may
 * be served by the follower, updates are repaired in the same way, so that a client sees there what it changed. A query through
 * a fenced alias finds nothing and succeeds, so an answer that found nothing is checked, and repeated when the epoch moved.
 */

import { followerServesReads } from '../../coordination/effective.ts';
import type { RouteState, Ticket } from '../../coordination/ports.ts';
import { CrossfadeError } from '../../errors.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import { type BodyFacts, inspectBody } from '../read/body-names.ts';
import { bodyFor, bodyTrouble, hasMoved } from '../read/body-words.ts';
import { mayName } from '../read/read-body.ts';
import type { Plan, RoutedIndex } from '../types.ts';
import { clientHeaders, showBody } from './answer-client.ts';
import { formOf } from './answer-form.ts';
import {
  acknowledge,
  admit,
  aliasIsFenced,
  awaitReplay,
  knowsNewer,
  mayHaveBeenApplied,
  recordByQuery,
  recordUnknown,
  replayBudgetMs,
  sendTo,
} from './attempts.ts';
import { awaitTail, refreshFollower } from './await-tail.ts';
import {
  aliasesOf,
  type ByQuery,
  type ByQueryCounts,
  byQueryPath,
  type Enumerated,
  enumeration,
  readCounts,
  readEnumeration,
  searchRouting,
} from './by-query-request.ts';
import { credentialsOf } from './credentials.ts';
import { authorityOf, isCopying, shownNames } from './names.ts';
import type { WriteClient, WriteDeps } from './ports.ts';
import { type RequestBody, readRequestBody } from './request-body.ts';
import { followTask, type RunningTask, showTask, taskOf } from './tasks.ts';

type ByQueryPlan = Extract<Plan, { kind: 'by_query' }>;

export const createByQuery =
  (deps: WriteDeps) =>
  async (client: WriteClient, plan: ByQueryPlan): Promise<void> => {
    const body = await readRequestBody(client, deps.limits.maxBodyBytes);
    const [first] = plan.indices;
    if (first === undefined) throw new CrossfadeError('INTERNAL', 'a by-query without indices');
    if (searchRouting(client.head.query, plan.indices).conflict)
      throw new CrossfadeError(
        'UNSUPPORTED',
        'The alias has a routing of its own; a query with another one is refused.',
      );
    let deadlineMs: number | undefined;
    for (;;) {
      const ticket = await admit(deps, client, { slug: first.state.slug, kind: 'by_query' });
      const indices = indicesUnder(deps, plan, ticket);
      const { head } = client;
      const attempt: Attempt = {
        deps,
        client,
        body: { ...body, bytes: onSide(deps, { ...body, query: head.query }, ticket) },
        ticket,
        query: { head, operation: plan.operation, state: ticket.state, indices },
      };
      if ((await runAttempt(attempt)) === 'done') return;
      deadlineMs ??= deps.now() + replayBudgetMs(ticket.state);
      await awaitReplay(deps, ticket.state, deadlineMs);
    }
  };

type Attempt = {
  readonly deps: WriteDeps;
  readonly client: WriteClient;
  readonly body: RequestBody;
  readonly ticket: Ticket;
  readonly query: ByQuery;
};

/** The route may have changed while the request was held; then it is the client's to ask again. */
const indicesUnder = (deps: WriteDeps, { operation }: ByQueryPlan, ticket: Ticket): readonly RoutedIndex[] => {
  const resolution = deps.table().resolve(operation.params['index'] ?? '', deps.date?.() ?? new Date());
  if (resolution.kind === 'route' && resolution.state.slug === ticket.state.slug) return resolution.indices;
  ticket.done();
  throw new CrossfadeError('NOT_READY', 'The route of these indices changed while the request was waiting.');
};

/**
 * The query in the words of the authority: it may look documents of other indices up by name.
 * @throws CrossfadeError when it names what is not current there, or uses `_index` in a way that cannot be said there
 */
const onSide = (deps: WriteDeps, { bytes, json, query }: RequestBody & { query: string }, ticket: Ticket): Buffer => {
  const { state } = ticket;
  const words = { table: deps.table(), side: authorityOf(state), sameCluster: deps.sameCluster ?? false };
  if (words.side === 'source' && !hasMoved(words.table)) return bytes;
  const facts = json ? factsOf(bytes) : undefined;
  const hidesNames = facts === undefined && mayName(bytes);
  const error = bodyTrouble({ ...words, facts, hidesNames, query, states: [state] });
  if (error === undefined) return facts === undefined ? bytes : bodyFor(bytes, facts, words);
  ticket.done();
  throw error;
};

/** undefined when the body is not JSON: the cluster says what is wrong with it. */
const factsOf = (bytes: Buffer): BodyFacts | undefined => {
  try {
    return inspectBody(bytes);
  } catch {
    return undefined;
  }
};

const runAttempt = async (attempt: Attempt): Promise<'done' | 'fenced'> => {
  const { deps, ticket, query, client } = attempt;
  const { state } = query;
  const enumerated = await enumerate(attempt);
  const sentMs = deps.now();
  const answer = await send(attempt);
  const counts = answer.status < 500 ? readCounts(answer.body) : undefined;
  const task = answer.status === 200 ? taskOf(answer.body) : undefined;
  const side = authorityOf(state);
  const headers = credentialsOf(attempt.body.headers);
  const follow = () => followTask(deps, { side, id: (task as RunningTask).id, headers });
  if (await metFence(attempt, { status: answer.status, counts, follow: task && follow })) {
    ticket.done();
    return 'fenced';
  }
  const ended = task === undefined ? Promise.resolve(counts) : follow();
  const settled = ended
    .then((result) => settle(attempt, { enumerated, counts: result, status: answer.status }))
    .finally(() => ticket.done());
  if (task === undefined) await seenOnFollower(attempt, settled, deps.now() - sentMs);
  const shown =
    task === undefined ? answer.body : showTask(deps, answer.body, { task, side, reign: state.phase.reign });
  respondWith(client, { ...answer, body: shown }, state);
  return 'done';
};

/** What was repaired by its ids is there; what changed beyond them comes with the tail, what was deleted with a sweep. */
const seenOnFollower = async (attempt: Attempt, settled: Promise<boolean>, tookMs: number): Promise<void> => {
  const { deps, client, query } = attempt;
  let seen = false;
  const noted = settled.then((known) => {
    seen = known;
  });
  await acknowledge(deps, query.state, noted);
  const tailBrings = !seen && query.operation.family === 'update_by_query';
  if (tailBrings) await awaitTail(deps, { client, state: query.state, tookMs });
};

export const respondWith = (client: WriteClient, answer: UpstreamAnswer, state: RouteState): void => {
  const names = shownNames([state]);
  const headers = clientHeaders(answer.headers, names);
  client.respond({ status: answer.status, headers, body: showBody(answer.body, names, formOf(client.head.query)) });
};

const send = async ({ deps, client, body, ticket, query }: Attempt): Promise<UpstreamAnswer> => {
  const { method } = client.head;
  const request = { method, path: byQueryPath(query), headers: body.headers, body: body.bytes };
  try {
    return await sendTo(deps, client, { side: authorityOf(ticket.state), request });
  } catch (error) {
    if (mayHaveBeenApplied(error)) recordUnknown(deps, ticket.state, true);
    ticket.done();
    throw error;
  }
};

/** Deletes, which the tail cannot see; and what a client may look for on the follower before the tail has been there. */
const needsIds = ({ state, operation }: ByQuery): boolean =>
  isCopying(state) && (operation.family === 'delete_by_query' || followerServesReads(state));

/** Which documents the query is about to reach; undefined when that is not needed or cannot be found out. */
const enumerate = async ({ deps, body, query }: Attempt): Promise<Enumerated | undefined> => {
  const { state } = query;
  if (!needsIds(query) || deps.repairIds === undefined) return undefined;
  if (!body.json && body.bytes.length > 0) return undefined;
  const search = enumeration(query, body.bytes);
  if (search === undefined) return undefined;
  try {
    const headers = { ...credentialsOf(body.headers), 'content-type': 'application/json', accept: 'application/json' };
    const answer = await deps.transports[authorityOf(state)].request({ method: 'POST', ...search, headers });
    return answer.status === 200 ? readEnumeration(answer.body, state) : undefined;
  } catch {
    return undefined;
  }
};

const isFenced = ({ deps, body, query }: Attempt): Promise<boolean> => {
  const { state, indices } = query;
  const [alias = ''] = aliasesOf(state, indices);
  return aliasIsFenced(deps, { side: authorityOf(state), alias, headers: credentialsOf(body.headers) });
};

type Told = {
  status: number;
  counts: ByQueryCounts | undefined;
  /** Of a run that goes on as a task. */
  follow: (() => Promise<ByQueryCounts | undefined>) | undefined;
};

/**
 * Whether it surely reached nothing because its epoch was over, and may be sent again. A newer phase says so only of what
 * found nothing or was refused: a task may have begun before, and an answer that is no JSON may tell of any number.
 */
const metFence = async (attempt: Attempt, { status, counts, follow }: Told): Promise<boolean> => {
  if (follow !== undefined) return (await isFenced(attempt)) && (await follow())?.total === 0;
  const reachedNothing = counts?.total === 0 || status === 403 || status === 404;
  if (reachedNothing && (await knowsNewer(attempt.deps, attempt.query.state))) return true;
  const unread = counts === undefined && status === 200;
  return (reachedNothing || unread) && isFenced(attempt);
};

type Ended = { enumerated: Enumerated | undefined; counts: ByQueryCounts | undefined; status: number };

const isRefused = ({ counts, status }: Ended): boolean => counts === undefined && status >= 400 && status < 500;

/** Nothing was changed that the tail or somebody else would not bring over. */
const needsNothing = ({ counts, enumerated }: Ended): boolean =>
  counts?.deleted === 0 && (enumerated === undefined || counts.total === 0);

/** Which of a complete list ceased to match, and what came to match, are single documents. */
const leaveToSweep = (deps: WriteDeps, state: RouteState, enumerated: Enumerated | undefined): void => {
  deps.copies.sweepNeeded(state.slug, 'by_query');
  if (enumerated?.complete !== true) deps.onUnlistedDeletes?.(state);
};

/** @returns whether the follower is known to show all of it */
const settle = async (attempt: Attempt, ended: Ended): Promise<boolean> => {
  const { deps, query } = attempt;
  const { state, indices } = query;
  if (!isCopying(state) || isRefused(ended)) return true;
  const { enumerated, counts } = ended;
  recordByQuery(deps, state, { ordinal: indices[0]?.ordinal ?? 0, counts });
  if (needsNothing(ended)) return true;
  const mayHaveDeleted = counts?.deleted !== 0;
  let known = enumerated?.complete === true && counts?.total === enumerated.keys.length;
  try {
    const absent = enumerated && (await deps.repairIds?.(state, enumerated.keys));
    // It deleted others than those that were found before: as many came to match as ceased to.
    if (absent !== undefined && absent < (counts?.deleted ?? 0)) known = false;
    if (!known && mayHaveDeleted) leaveToSweep(deps, state, enumerated);
  } catch (error) {
    deps.logger.warn({ err: error, route: state.slug }, 'documents of a by-query were not repaired');
    if (mayHaveDeleted) leaveToSweep(deps, state, undefined);
    return false;
  }
  if (enumerated !== undefined) await refreshFollower(deps, attempt.client, state);
  return known;
};
