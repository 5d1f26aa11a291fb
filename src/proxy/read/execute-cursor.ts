/**
 * Continues and closes what only one cluster knows: scrolls, points in time, asynchronous searches, SQL cursors, tasks. The
 * side stands in the wrapped id; an id that is not wrapped was issued by the source. A cursor of a side that cannot answer
 * fails with that side's error, because no other cluster can continue it.
 */
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import { applyEdits } from '../../json/scan.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import type { AskedAnswer } from './ports.ts';
import type { ClientRequest } from '../client-request.ts';
import { removeParam } from '../query.ts';
import type { Family, Operation, Plan, RouteTable } from '../types.ts';
import { readRequestBody } from '../write/request-body.ts';
import { type AnswerNeeds, answerNeeds } from './answer-edits.ts';
import { type ClearKind, clearBody, clearMember, mergeClears, planClear, wrapPits } from './clear-cursors.ts';
import { type BodyIds, idsInBody, replaceParam } from './cursor-ids.ts';
import { type Cursor, noReign, isWrapped, needsWrapping, unwrapCursor } from './cursor-token.ts';
import { deliver, sideHeaders } from './deliver.ts';
import { askSide } from './forward.ts';
import { isJson } from './judge-follower.ts';
import { wireTarget } from './outgoing.ts';
import { reignsOn } from './reigns.ts';
import type { Shared } from './shared.ts';

type CursorPlan = Extract<Plan, { kind: 'cursor' }>;

const invalid = (): CrossfadeError => new CrossfadeError('CURSOR_INVALID');
const nothing: AnswerNeeds = { rename: false, terms: false, cursor: false };

export const createCursorExecutor =
  (shared: Shared) =>
  (request: ClientRequest, plan: CursorPlan): Promise<void> => {
    const { operation } = plan;
    switch (operation.family) {
      case 'scroll':
        return continueScroll(shared, request, operation);
      case 'clear_scroll':
        return clear(shared, request, { operation, kind: 'scroll' });
      case 'pit_delete':
        return clear(shared, request, { operation, kind: 'pit' });
      case 'task':
      case 'rethrottle':
        return task(shared, request, operation);
      default:
        return byParam(shared, request, operation);
    }
  };

const bodyIdsOf = async (
  shared: Shared,
  request: ClientRequest,
  name: string,
): Promise<{ bytes: Buffer; ids: BodyIds | undefined }> => {
  const { bytes, json } = await readRequestBody(request, shared.deps.limits.maxBodyBytes);
  try {
    return { bytes, ids: json ? idsInBody(bytes, name) : undefined };
  } catch {
    // The cluster says what is wrong with it.
    return { bytes, ids: undefined };
  }
};

const continueScroll = async (shared: Shared, request: ClientRequest, operation: Operation): Promise<void> => {
  const { bytes, ids } = await bodyIdsOf(shared, request, 'scroll_id');
  const token = ids?.ids[0] ?? operation.params.scroll_id ?? '';
  const cursor = unwrapCursor(token, shared.mac);
  if (cursor === undefined) throw invalid();
  const changed = cursor.id !== token;
  const inBody = ids !== undefined;
  const target =
    changed && !inBody ? replaceParam(request.head, operation, { name: 'scroll_id', value: cursor.id }) : request.head;
  const body = changed && inBody ? applyEdits(bytes, [{ ...ids.slice, text: JSON.stringify(cursor.id) }]) : undefined;
  await forwardCursor(shared, request, { operation, cursor, target, body });
};

type CursorForward = {
  readonly operation: Operation;
  readonly cursor: Cursor;
  readonly target: { path: string; query: string };
  readonly body?: Buffer | undefined;
  readonly answer?: AskedAnswer | undefined;
};

/** A page moves the cursor, so it is never asked for twice. */
const forwardCursor = (
  shared: Shared,
  request: ClientRequest,
  { operation, cursor, target, body, answer }: CursorForward,
): Promise<void> => {
  const table = shared.deps.table();
  const context = {
    family: operation.family,
    group: operation.group,
    origin: cursor,
    names: cursor.side === 'target' ? shared.namesOf(table) : new Map<string, string>(),
    reignOf: reignsOn(table, { side: cursor.side, sameCluster: shared.deps.sameCluster }),
  };
  return shared.forward(request, {
    side: cursor.side,
    state: undefined,
    target: wireTarget(target),
    body,
    context,
    needs: answerNeeds(context, { ...request.head, asksTokens: undefined }),
    safeToRepeat: false,
    answer,
  });
};

/** Ids that stand in the path: asynchronous searches; for anything without an id of ours, the source. */
const byParam = (shared: Shared, request: ClientRequest, operation: Operation): Promise<void> => {
  const name = idParamOf(operation.family);
  const token = name === undefined ? undefined : operation.params[name];
  const cursor = unwrapCursor(token ?? '', shared.mac);
  if (cursor === undefined) throw invalid();
  const target =
    name !== undefined && token !== undefined && isWrapped(token)
      ? replaceParam(request.head, operation, { name, value: cursor.id })
      : request.head;
  return forwardCursor(shared, request, { operation, cursor, target });
};

const idParamOf = (family: Family): string | undefined => {
  if (family === 'task' || family === 'rethrottle') return 'task_id';
  return family === 'async_search_get' || family === 'async_search_delete' ? 'id' : undefined;
};

/**
 * A task id without a side may come from a list of tasks on the target. The source says when it does not know a task, and
 * then has done nothing.
 */
const task = async (shared: Shared, request: ClientRequest, operation: Operation): Promise<void> => {
  const token = operation.params.task_id ?? '';
  if (isWrapped(token) || !isTargetInUse(shared.deps.table())) return byParam(shared, request, operation);
  const cursor = { side: 'source', reign: 1, id: token } as const;
  const answer = await askSide(shared.deps, request, {
    side: 'source',
    target: wireTarget(request.head),
    safeToRepeat: false,
  });
  const known = answer.status !== 404 && !answer.body.includes('"node_failures"');
  await forwardCursor(
    shared,
    request,
    known
      ? { operation, cursor, target: request.head, answer }
      : { operation, cursor: { ...cursor, side: 'target', reign: noReign }, target: request.head },
  );
};

const isTargetInUse = ({ states }: RouteTable): boolean =>
  states.some(({ phase }) => authorityIn(phase.phase) === 'target');

type Clearing = { readonly operation: Operation; readonly kind: ClearKind };

const clear = async (shared: Shared, request: ClientRequest, { operation, kind }: Clearing): Promise<void> => {
  const { ids } = await bodyIdsOf(shared, request, clearMember[kind]);
  const listed = operation.params.scroll_id?.split(',');
  const tokens = ids?.ids ?? listed ?? [];
  if (operation.group === 'delete_all_pits' || (tokens.length === 1 && tokens[0] === '_all'))
    return clearAll(shared, request, kind);
  const plan = planClear(tokens, shared.mac);
  if (plan.kind === 'invalid') throw invalid();
  if (!plan.wrapped) return passToSource(shared, request, operation);
  const path = kind === 'scroll' ? '/_search/scroll' : request.head.path;
  const query = removeParam(request.head.query, 'scroll_id');
  const asks = [...plan.bySide].map(([side, cursors]) =>
    askClear(shared, request, { side, target: wireTarget({ path, query }), body: clearBody(kind, cursors) }),
  );
  await deliverClears(shared, request, { kind, asks, known: [...plan.bySide.values()].flat() });
};

const passToSource = (shared: Shared, request: ClientRequest, operation: Operation): Promise<void> =>
  shared.forward(request, {
    side: 'source',
    state: undefined,
    target: wireTarget(request.head),
    context: {
      family: operation.family,
      group: operation.group,
      origin: { side: 'source', reign: 1 },
      names: new Map(),
    },
    needs: nothing,
    safeToRepeat: false,
  });

const clearAll = async (shared: Shared, request: ClientRequest, kind: ClearKind): Promise<void> => {
  const target = wireTarget(request.head);
  const both: Side[] = shared.deps.sameCluster === true ? ['source'] : ['source', otherSide('source')];
  const asks = both.map((side) => askClear(shared, request, { side, target }));
  await deliverClears(shared, request, { kind, asks, known: [] });
};

type SideAnswer = { readonly side: Side; readonly answer: UpstreamAnswer };

const askClear = async (
  shared: Shared,
  request: ClientRequest,
  ask: { side: Side; target: string; body?: Buffer },
): Promise<SideAnswer> => {
  const own = await readRequestBody(request, shared.deps.limits.maxBodyBytes);
  const body = ask.body ?? own.bytes;
  const answer = await shared.deps.transports[ask.side].request({
    method: request.head.method,
    path: ask.target,
    headers: ask.body === undefined ? own.headers : { ...own.headers, 'content-type': 'application/json' },
    body,
    signal: request.aborted,
    maxBodyBytes: shared.deps.limits.maxBodyBytes,
  });
  return { side: ask.side, answer };
};

type Clears = {
  readonly kind: ClearKind;
  readonly asks: readonly Promise<SideAnswer>[];
  readonly known: readonly Cursor[];
};

const deliverClears = async (shared: Shared, request: ClientRequest, { kind, asks, known }: Clears): Promise<void> => {
  const results = await Promise.allSettled(asks);
  const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const [first, ...others] = answers;
  if (first === undefined) throw (results[0] as PromiseRejectedResult).reason;
  request.trace.side = first.side;
  const mergeable = answers.filter(({ answer }) => isJson(answer) && answer.status !== 400);
  if ((others.length === 0 && results.length === 1) || mergeable.length < answers.length)
    return deliverOne(shared, request, { kind, one: answers.find((one) => !mergeable.includes(one)) ?? first, known });
  const parts = mergeable.map(({ side, answer }) => ({
    side,
    status: answer.status,
    body: kind === 'pit' ? wrapPits(answer.body, side, { known, mac: shared.mac }) : answer.body,
  }));
  const merged = mergeClears(kind, parts, mergeable.length < results.length);
  const headers = { 'content-type': 'application/json; charset=UTF-8' };
  deliver(request, { ...merged, headers, extra: sideHeaders(shared.deps, 'both', undefined) });
};

type OneClear = { readonly kind: ClearKind; readonly one: SideAnswer; readonly known: readonly Cursor[] };

const deliverOne = (shared: Shared, request: ClientRequest, { kind, one: { side, answer }, known }: OneClear): void => {
  const wraps = kind === 'pit' && isJson(answer) && known.some(needsWrapping);
  deliver(request, {
    status: answer.status,
    headers: answer.headers,
    body: wraps ? wrapPits(answer.body, side, { known, mac: shared.mac }) : answer.body,
    extra: sideHeaders(shared.deps, side, undefined),
  });
};

/** For the executors of writes, which start tasks that the client asks about later. */
export { wrapCursor as wrapTaskId } from './cursor-token.ts';
