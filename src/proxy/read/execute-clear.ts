/**
 * Closes scrolls and points in time, which may be of both sides: each is sent its own ids, or is told to close all, and the
 * answers become one (clear-cursors.ts). A side that only may hold some is waited for as long as a hedge, and its failure is
 * nobody's business. `filter_path` is applied to the one answer, because what it takes away is needed to make that.
 */
import type { Side } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import type { ClientRequest } from '../client-request.ts';
import { getParam, removeParam } from '../query.ts';
import type { Operation } from '../types.ts';
import { applyFilterPath, parseFilterPath } from '../write/filter-path.ts';
import { readRequestBody } from '../write/request-body.ts';
import {
  type ClearKind,
  clearBody,
  clearMember,
  mergeClears,
  planClear,
  sidesToClear,
  wrapPits,
} from './clear-cursors.ts';
import { bodyIdsOf } from './cursor-body.ts';
import { type Cursor, needsWrapping } from './cursor-token.ts';
import { deliver, sideHeaders } from './deliver.ts';
import { isJson } from './judge-follower.ts';
import { wireTarget } from './outgoing.ts';
import type { Shared } from './shared.ts';

type Clearing = { readonly operation: Operation; readonly kind: ClearKind };

export const clearCursors = async (
  shared: Shared,
  request: ClientRequest,
  { operation, kind }: Clearing,
): Promise<void> => {
  const { ids } = await bodyIdsOf(shared, request, clearMember[kind]);
  const listed = operation.params.scroll_id?.split(',');
  const tokens = ids?.ids ?? listed ?? [];
  if (operation.group === 'delete_all_pits' || (tokens.length === 1 && tokens[0] === '_all'))
    return clearAll(shared, request, kind);
  const plan = planClear(tokens, shared.mac);
  if (plan.kind === 'invalid') throw new CrossfadeError('CURSOR_INVALID');
  if (!plan.wrapped) return passToSource(shared, request, operation);
  const path = kind === 'scroll' ? '/_search/scroll' : request.head.path;
  const query = removeParam(removeParam(request.head.query, 'scroll_id'), 'filter_path');
  const asks = [...plan.bySide].map(([side, cursors]) =>
    askClear(shared, request, {
      side,
      must: true,
      target: wireTarget({ path, query }),
      body: clearBody(kind, cursors),
    }),
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
    needs: { rename: false, terms: false, cursor: false },
    safeToRepeat: false,
  });

const clearAll = async (shared: Shared, request: ClientRequest, kind: ClearKind): Promise<void> => {
  const { path, query } = request.head;
  const target = wireTarget({ path, query: removeParam(query, 'filter_path') });
  const { sameCluster = false, table } = shared.deps;
  const { states } = table();
  const asks = sidesToClear(states, { sameCluster, targetServedLately: shared.targetServedLately() }).map((one) =>
    askClear(shared, request, { ...one, target }),
  );
  await deliverClears(shared, request, { kind, asks, known: [] });
};

type Ask = { readonly side: Side; readonly must: boolean; readonly target: string; readonly body?: Buffer };
type Asked = Pick<Ask, 'side' | 'must'> & { readonly answer: UpstreamAnswer | undefined; readonly error?: unknown };
type SideAnswer = Asked & { readonly answer: UpstreamAnswer };

/** Never throws. */
const askClear = async (shared: Shared, request: ClientRequest, ask: Ask): Promise<Asked> => {
  const { side, must } = ask;
  try {
    return { side, must, answer: await sendClear(shared, request, ask) };
  } catch (error) {
    return { side, must, answer: undefined, error };
  }
};

const sendClear = async (shared: Shared, request: ClientRequest, ask: Ask): Promise<UpstreamAnswer> => {
  const own = await readRequestBody(request, shared.deps.limits.maxBodyBytes);
  const { aborted } = request;
  return shared.deps.transports[ask.side].request({
    method: request.head.method,
    path: ask.target,
    headers: ask.body === undefined ? own.headers : { ...own.headers, 'content-type': 'application/json' },
    body: ask.body ?? own.bytes,
    signal: ask.must ? aborted : AbortSignal.any([aborted, AbortSignal.timeout(shared.hedgeMs)]),
    maxBodyBytes: shared.deps.limits.maxBodyBytes,
  });
};

type Clears = {
  readonly kind: ClearKind;
  readonly asks: readonly Promise<Asked>[];
  readonly known: readonly Cursor[];
};

const isAnswered = (asked: Asked): asked is SideAnswer => asked.answer !== undefined;
const canBeMerged = ({ must, answer }: SideAnswer): boolean =>
  isJson(answer) && answer.status !== 400 && (must || answer.status < 400 || answer.status === 404);

const deliverClears = async (shared: Shared, request: ClientRequest, { kind, asks, known }: Clears): Promise<void> => {
  const results = await Promise.all(asks);
  const answers = results.filter(isAnswered);
  const due = answers.filter(({ must }) => must);
  const [first] = due;
  if (first === undefined) throw results.find(({ must }) => must)?.error;
  request.trace.side = first.side;
  const refused = due.find((one) => !canBeMerged(one)) ?? (results.length === 1 ? first : undefined);
  if (refused !== undefined) return deliverOne(shared, request, { kind, one: refused, known });
  const parts = answers.filter(canBeMerged).map(({ side, answer }) => ({
    side,
    status: answer.status,
    body: kind === 'pit' ? wrapPits(answer.body, side, { known, mac: shared.mac }) : answer.body,
  }));
  const { status, body } = mergeClears(kind, parts, due.length < results.filter(({ must }) => must).length);
  const headers = { 'content-type': 'application/json; charset=UTF-8' };
  const extra = sideHeaders(shared.deps, parts.length > 1 ? 'both' : first.side, undefined);
  deliver(request, { status, headers, body: filtered(request, body), extra });
};

type OneClear = { readonly kind: ClearKind; readonly one: SideAnswer; readonly known: readonly Cursor[] };

const deliverOne = (shared: Shared, request: ClientRequest, { kind, one: { side, answer }, known }: OneClear): void => {
  const wraps = kind === 'pit' && isJson(answer) && known.some(needsWrapping);
  const body = wraps ? wrapPits(answer.body, side, { known, mac: shared.mac }) : answer.body;
  deliver(request, {
    status: answer.status,
    headers: answer.headers,
    body: isJson(answer) ? filtered(request, body) : body,
    extra: sideHeaders(shared.deps, side, undefined),
  });
};

const filtered = ({ head }: ClientRequest, body: Buffer): Buffer =>
  applyFilterPath(body, parseFilterPath(getParam(head.query, 'filter_path')));
