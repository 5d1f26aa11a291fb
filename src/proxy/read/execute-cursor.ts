/**
 * Continues what only one cluster knows: scrolls, points in time, asynchronous searches, SQL cursors, tasks. The
 * side stands in the wrapped id; an id that is not wrapped was issued by the source. A cursor of a side that cannot answer
 * fails with that side's error, because no other cluster can continue it.
 */
import { authorityIn } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import { applyEdits } from '../../json/scan.ts';
import type { AskedAnswer } from './ports.ts';
import type { ClientRequest } from '../client-request.ts';
import type { Family, Operation, Plan, RouteTable } from '../types.ts';
import { answerNeeds } from './answer-edits.ts';
import { bodyIdsOf } from './cursor-body.ts';
import { replaceParam } from './cursor-ids.ts';
import { type Cursor, isWrapped, noReign, unwrapCursor } from './cursor-token.ts';
import { clearCursors } from './execute-clear.ts';
import { askSide } from './forward.ts';
import { wireTarget } from './outgoing.ts';
import { reignsOn } from './reigns.ts';
import type { Shared } from './shared.ts';

type CursorPlan = Extract<Plan, { kind: 'cursor' }>;

const invalid = (): CrossfadeError => new CrossfadeError('CURSOR_INVALID');

export const createCursorExecutor =
  (shared: Shared) =>
  (request: ClientRequest, plan: CursorPlan): Promise<void> => {
    const { operation } = plan;
    switch (operation.family) {
      case 'scroll':
        return continueScroll(shared, request, operation);
      case 'clear_scroll':
        return clearCursors(shared, request, { operation, kind: 'scroll' });
      case 'pit_delete':
        return clearCursors(shared, request, { operation, kind: 'pit' });
      case 'task':
      case 'rethrottle':
        return task(shared, request, operation);
      default:
        return byParam(shared, request, operation);
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

/** For the executors of writes, which start tasks that the client asks about later. */
export { wrapCursor as wrapTaskId } from './cursor-token.ts';
