/**
 * One client request from its head to its answer: classify, plan, and carry the plan out. The decisions are pure
 * functions passed in; passing bytes, refusing and rewriting node addresses happen here, routed work goes to the
 * executors. While no route is active nothing is classified at all: traffic passes at the price of the bytes.
 */
import type { RouteState } from '../coordination/ports.ts';
import { otherSide, type Side } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import { toRecord } from '../upstream/header-pairs.ts';
import type { Cluster } from '../upstream/types.ts';
import type { ClientRequest } from './client-request.ts';
import type { Executors } from './executors.ts';
import type { FailedRefreshes } from './failed-refreshes.ts';
import { advertisedAddress, type Listening, listsNodes, rewriteNodes } from './nodes-http.ts';
import { quickFamily } from './quick-family.ts';
import { refreshAlso } from './refresh-also.ts';
import { relay, startRelay } from './relay.ts';
import type { Operation, Plan, RequestHead, RouteTable } from './types.ts';

export type PlanInput = {
  operation: Operation;
  head: RequestHead;
  table: RouteTable;
  now: Date;
  sameCluster: boolean;
};
export type HandlerDeps = {
  /** Connections for client traffic. */
  clusters: Readonly<Record<Side, Cluster>>;
  /** The routes as this member knows them now; an immutable value, replaced as a whole. */
  table: () => RouteTable;
  classify: (method: string, rawPath: string) => Operation;
  plan: (input: PlanInput) => Plan;
  executors: Executors;
  /** Of the listener, for sniffing clients. */
  listening: () => Listening;
  /** Answers that must be held to be rewritten. */
  maxBodyBytes: number;
  /** Source and target are one cluster. */
  sameCluster?: boolean;
  /** Told what became of refreshes on followers. */
  refreshes?: Pick<FailedRefreshes, 'begin'>;
  now?: () => Date;
};

/** Streams the request to a side and its answer back. */
const passTo = (request: ClientRequest, cluster: Cluster, side: Side): undefined => {
  request.trace.side = side;
  startRelay(request, { cluster }, (result) => {
    if (!result.ok) request.respondError(result.error);
  });
};

const passNodes = async (request: ClientRequest, deps: HandlerDeps, side: Side): Promise<void> => {
  const { head, headers } = request;
  const sentMs = performance.now();
  request.trace.side = side;
  const answer = await deps.clusters[side].transport.request({
    method: head.method,
    path: head.query === '' ? head.path : `${head.path}?${head.query}`,
    headers: toRecord(headers),
    body: await request.readBody({ maxBytes: deps.maxBodyBytes }),
    maxBodyBytes: deps.maxBodyBytes,
    signal: request.aborted,
    safeToRepeat: true,
  });
  request.trace.upstreamMs += performance.now() - sentMs;
  const address = advertisedAddress(head.headers['host'], deps.listening());
  request.respond({ ...answer, body: rewriteNodes(answer.body, address) ?? answer.body });
};

/** A follower that takes longer is left alone; the client's own request waits for it. */
const followerRefreshMs = 2000;

const refreshAndPass = async (request: ClientRequest, plan: WideRefresh, deps: HandlerDeps): Promise<void> => {
  const { source, target } = deps.clusters;
  const refused = await refreshAlso({
    head: request.head,
    states: plan.refreshAlso,
    passedTo: plan.side,
    transports: { source: source.transport, target: target.transport },
    followerTimeoutMs: followerRefreshMs,
    refreshes: deps.refreshes,
  });
  request.trace.side = refused === undefined ? plan.side : otherSide(plan.side);
  if (refused !== undefined) return request.respond(refused);
  const result = await relay(request, { cluster: deps.clusters[plan.side] });
  if (!result.ok) request.respondError(result.error);
};

type PassPlan = Extract<Plan, { kind: 'pass' }>;
type WideRefresh = PassPlan & { readonly refreshAlso: readonly RouteState[] };

const isWideRefresh = (plan: PassPlan): plan is WideRefresh => plan.refreshAlso !== undefined;

const carryOutPass = (request: ClientRequest, plan: PassPlan, deps: HandlerDeps): Promise<void> | undefined => {
  if (isWideRefresh(plan)) return refreshAndPass(request, plan, deps);
  return plan.rewriteNodes === true
    ? passNodes(request, deps, plan.side)
    : passTo(request, deps.clusters[plan.side], plan.side);
};

const carryOut = (request: ClientRequest, plan: Plan, deps: HandlerDeps): Promise<void> | undefined => {
  const { executors } = deps;
  switch (plan.kind) {
    case 'pass':
      return carryOutPass(request, plan, deps);
    case 'reject':
      return Promise.reject(plan.error);
    case 'write':
      return executors.write(request, plan);
    case 'bulk':
      return executors.bulk(request, plan);
    case 'by_query':
      return executors.by_query(request, plan);
    case 'reindex':
      return executors.reindex(request, plan);
    case 'read':
      return executors.read(request, plan);
    case 'mixed_read':
      return executors.mixed_read(request, plan);
    case 'multi_read':
      return executors.multi_read(request, plan);
    case 'by_body':
      return executors.by_body(request, plan);
    case 'cursor':
      return executors.cursor(request, plan);
    case 'pit_search':
      return executors.pit_search(request, plan);
    case 'refresh':
      return executors.refresh(request, plan);
    case 'index_info':
      return executors.index_info(request, plan);
    case 'admin':
      return executors.admin(request, plan);
    default:
      plan satisfies never;
      return Promise.reject(new CrossfadeError('INTERNAL', 'A plan of an unknown kind.'));
  }
};

const planned = (request: ClientRequest, table: RouteTable, deps: HandlerDeps): Promise<void> | undefined => {
  const { head, trace } = request;
  const operation = deps.classify(head.method, head.path);
  trace.family = operation.family;
  trace.access = operation.access;
  const now = deps.now?.() ?? new Date();
  return carryOut(request, deps.plan({ operation, head, table, now, sameCluster: deps.sameCluster ?? false }), deps);
};

const unrouted = (request: ClientRequest, deps: HandlerDeps): Promise<void> | undefined => {
  const { method, path, trace } = request;
  const { family, access } = quickFamily(method, path);
  trace.family = family;
  trace.access = access;
  return listsNodes(method, path)
    ? passNodes(request, deps, 'source')
    : passTo(request, deps.clusters.source, 'source');
};

/** The function the listener calls. It rejects with a CrossfadeError when that is the answer; passing has no promise. */
export const createHandler =
  (deps: HandlerDeps) =>
  (request: ClientRequest): Promise<void> | undefined => {
    const table = deps.table();
    return table.states.length === 0 ? unrouted(request, deps) : planned(request, table, deps);
  };
