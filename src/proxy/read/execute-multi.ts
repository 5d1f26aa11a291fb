/**
 * Carries out msearch, mget and mtermvectors, whose items may belong to several routes and to none: items are given their
 * sides, each side is asked once, and the answers are put together in the client's order. When everything is on one side
 * and nothing has to be changed, bytes pass as they are.
 */
import { effectivePercents } from '../../coordination/effective.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, type Side } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import { answersInJson } from '../answers-in-json.ts';
import type { ClientRequest } from '../client-request.ts';
import { asksPretty } from '../write/answer-form.ts';
import { getFlag, getParam } from '../query.ts';
import type { RoutedIndex, RouteTable } from '../types.ts';
import { readRequestBody } from '../write/request-body.ts';
import { askGroup, type GroupAnswer, groupSample, passGroup, refuseFormatOf } from './ask-group.ts';
import { chooseSide } from './choose-side.ts';
import { deliver, sideHeaders } from './deliver.ts';
import { type Assigned, type Assignment, assignItems } from './multi-assign.ts';
import { withoutMissing } from './missing-followers.ts';
import { idsOfQuery, type MultiBody, type MultiItem, parseMulti } from './multi-body.ts';
import { renderMultiAnswer } from './multi-answer.ts';
import { failedItem, mergeItems } from './multi-merge.ts';
import type { MultiPlan, MultiReading } from './ports.ts';
import { headPin } from './request-pins.ts';
import { startSampling } from './sampling.ts';
import type { Shared } from './shared.ts';
import { stickyKey } from './sticky-key.ts';

export const createMultiExecutor =
  (shared: Shared) =>
  async (request: ClientRequest, plan: MultiPlan): Promise<void> => {
    const plain = await readRequestBody(request, shared.deps.limits.maxBodyBytes);
    const table = shared.deps.table();
    const body = plain.json || plain.bytes.length === 0 ? parsed(request, plan, plain.bytes) : undefined;
    if (body === undefined) return passUnread(shared, request, table);
    if (body.items.length === 0) return passTo(shared, request, 'source');
    const reading = { request, plan, table, plain, body, sameCluster: shared.deps.sameCluster === true };
    const assignment = await withFollowersLookedFor(shared, request, assign(shared, reading));
    if (assignment.groups.length === 1 && assignment.failed.length === 0) return serveOne(shared, reading, assignment);
    await serveSplit(shared, reading, assignment);
  };

const withFollowersLookedFor = async (
  shared: Shared,
  request: ClientRequest,
  { groups, failed }: Assignment,
): Promise<Assignment> => {
  if (!groups.some(({ items }) => items.some(({ said }) => said !== undefined))) return { groups, failed };
  const look = async (assigned: Assigned): Promise<Assigned> => {
    const { said, item } = assigned;
    if (said === undefined) return assigned;
    const given = item.ignoreUnavailable ?? getFlag(request.head.query, 'ignore_unavailable');
    return { ...assigned, asked: await withoutMissing(shared, request, { said, given }) };
  };
  const looked = groups.map(async (group) => ({ ...group, items: await Promise.all(group.items.map(look)) }));
  return { groups: await Promise.all(looked), failed };
};

const parsed = ({ head }: ClientRequest, { operation }: MultiPlan, bytes: Buffer): MultiBody | undefined => {
  try {
    if (bytes.length > 0) return parseMulti(operation.family, bytes);
    // Ids may stand in the query instead; without them nothing is asked for, and any cluster says so.
    const ids = operation.family === 'mtermvectors' ? getParam(head.query, 'ids') : undefined;
    return idsOfQuery(ids);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};

/** A body that no one could route: right only while the source has everything. A broken one is refused there. */
const passUnread = async (shared: Shared, request: ClientRequest, table: RouteTable): Promise<void> => {
  if (table.states.some(({ phase }) => authorityIn(phase.phase) === 'target'))
    throw new CrossfadeError('BAD_BODY', 'the items of the body cannot be read, so their indices are not known');
  await passTo(shared, request, 'source');
};

const passTo = async (shared: Shared, request: ClientRequest, side: Side): Promise<void> => {
  request.trace.side = side;
  await shared.deps.streams.pass(request, {
    side,
    safeToRepeat: true,
    answerHeaders: sideHeaders(shared.deps, side, undefined),
  });
};

const assign = (shared: Shared, reading: MultiReading): Assignment => {
  const { plan, table, body } = reading;
  const sideOf = chooserOf(shared, reading);
  const context = {
    table,
    now: shared.date(),
    defaultIndex: plan.defaultIndex,
    mac: shared.mac,
    isPending: pendingOf(shared, reading),
    notRefreshed: (indices: readonly RoutedIndex[]) => shared.refreshes.has(indices),
    sameCluster: reading.sameCluster,
  };
  const assignment = assignItems(body, { ...context, chosen: sideOf });
  if (assignment.groups.length < 2 || canMerge(reading)) return assignment;
  const home = assignItems(body, { ...context, chosen: ({ phase }) => authorityIn(phase.phase) });
  if (home.groups.length < 2) return home;
  throw new CrossfadeError(
    'UNSUPPORTED',
    'items of both sides cannot be merged with filter_path or a format other than JSON',
  );
};

/** `filter_path` may drop whole items, so positions in the answers would mean nothing. */
const canMerge = ({ request: { head } }: MultiReading): boolean =>
  answersInJson(head) && getParam(head.query, 'filter_path') === undefined;

/** One choice per route and request, so that all its items stay together. */
const chooserOf = (shared: Shared, { request, plan }: MultiReading): ((state: RouteState) => Side) => {
  const chosen = new Map<string, Side>();
  const random = shared.deps.random();
  return (state) => {
    const known = chosen.get(state.slug);
    if (known !== undefined) return known;
    const { principal, head } = request;
    const { side, reason } = chooseSide({
      state,
      followerPercent: effectivePercents(state).read,
      followerIsFilled: shared.followerIsFilled(state),
      key: stickyKey(state.spec.reads, head, shared.callerOf(request)),
      principal,
      pin: headPin(plan.operation, head, state),
      random,
    });
    chosen.set(state.slug, side);
    shared.emit({ kind: 'chosen', slug: state.slug, family: plan.operation.family, side, reason });
    return side;
  };
};

const pendingOf = (
  { deps }: Shared,
  { body, request }: MultiReading,
): ((index: RoutedIndex, item: MultiItem) => boolean) => {
  const shared = getParam(request.head.query, 'routing');
  const isPending = ({ state, ordinal, aliasRouting }: RoutedIndex, { id, routing }: MultiItem): boolean =>
    id !== undefined &&
    deps.copies.isPending({ slug: state.slug, ordinal, id, routing: routing ?? shared ?? aliasRouting });
  // Plain ids cannot be split, so one pending document keeps all of them at the authority.
  return body.form === 'ids' ? (index) => body.items.some((item) => isPending(index, item)) : isPending;
};

const serveOne = async (shared: Shared, reading: MultiReading, { groups }: Assignment): Promise<void> => {
  const group = groups[0]!;
  refuseFormatOf(reading, group);
  const states = new Set(group.items.map(({ route }) => route?.state));
  const [state] = states;
  const { request, plan } = reading;
  const sampling =
    states.size === 1 && state !== undefined && group.items.every(({ cursor }) => cursor === undefined)
      ? startSampling(shared, request, { state, operation: plan.operation })
      : undefined;
  if (state !== undefined) request.trace.routeSlug = state.slug;
  try {
    const passed = passGroup(shared, reading, { group, sampling, state });
    if (passed !== undefined) return await passed;
    const answer = await askGroup(shared, reading, group);
    request.trace.side = answer.side;
    deliver(request, {
      ...answer.shown(),
      extra: sideHeaders(shared.deps, answer.side, state),
    });
    sampling?.served({ side: answer.side, answer: answer.raw, ...groupSample(reading, group) });
  } catch (error) {
    sampling?.failed();
    throw error;
  }
};

const serveSplit = async (shared: Shared, reading: MultiReading, { groups, failed }: Assignment): Promise<void> => {
  const { request, plan } = reading;
  const answers = await Promise.all(groups.map((group) => askGroup(shared, reading, group)));
  const refused = answers.find(({ raw, items }) => raw.status !== 200 || items === undefined);
  request.trace.side = answers[0]?.side;
  if (refused !== undefined) return deliverWhole(shared, request, refused);
  const items = mergeItems(reading.body.items.length, [
    ...answers.flatMap(({ group, items = [] }) => group.items.map(({ position }, i) => ({ position, item: items[i] }))),
    ...failed.map((one) => ({ position: one.position, item: failedItem(plan.operation.family, one) })),
  ]);
  const tookMs = Math.max(0, ...answers.map((answer) => answer.tookMs ?? 0));
  const pretty = asksPretty(request.head.query);
  deliver(request, {
    status: 200,
    headers: { ...answers[0]?.raw.headers, 'content-type': 'application/json; charset=UTF-8' },
    body: renderMultiAnswer(plan.operation.family, items, { tookMs, pretty }),
    extra: sideHeaders(shared.deps, spread(answers), undefined),
  });
};

/** The whole request failed on one side, and would have failed so on a single cluster. */
const deliverWhole = (shared: Shared, request: ClientRequest, answer: GroupAnswer): void =>
  deliver(request, { ...answer.shown(), extra: sideHeaders(shared.deps, answer.side, undefined) });

const spread = (answers: readonly GroupAnswer[]): Side | 'both' => {
  const [first, ...others] = new Set(answers.map(({ side }) => side));
  return first === undefined || others.length > 0 ? 'both' : first;
};
