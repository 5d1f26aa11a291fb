/**
 * Requests about the indices of one route rather than their documents: information and allowed administration go to the
 * authority under the names it knows; a refresh also reaches the follower while reads may go there, so that a client that
 * refreshes and reads finds its writes.
 */
import { effectivePercents } from '../../coordination/effective.ts';
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import type { ClientRequest } from '../client-request.ts';
import type { Operation, Plan } from '../types.ts';
import { answerNeeds, originOf } from './answer-edits.ts';
import { askSide } from './forward.ts';
import { sideTarget, wireTarget } from './outgoing.ts';
import { askPathOf, isRepeatable, isUnchanged } from '../planning/unchanged.ts';
import { getParam, removeParam } from '../query.ts';
import { isRefreshed } from '../refresh-also.ts';
import { readRequestBody } from '../write/request-body.ts';
import type { Shared } from './shared.ts';
import { nameOn } from './side-names.ts';

type IndexPlan = Extract<Plan, { kind: 'index_info' | 'admin' | 'refresh' }>;

export const createIndexExecutor =
  (shared: Shared) =>
  async (request: ClientRequest, plan: IndexPlan): Promise<void> => {
    request.trace.routeSlug = plan.state.slug;
    const refusal = plan.kind === 'admin' ? plan.refusal : undefined;
    if (refusal !== undefined && !(await changesNothing(shared, request, plan))) throw refusal;
    return toAuthority(shared, request, plan);
  };

const sideOf = (plan: IndexPlan): Side =>
  (plan.kind === 'refresh' ? undefined : plan.side) ?? authorityIn(plan.state.phase.phase);

/** Asks each index for what it has now, with the client's own rights. Whatever cannot be understood is a change. */
const changesNothing = async ({ deps }: Shared, request: ClientRequest, plan: IndexPlan): Promise<boolean> => {
  const { group, params } = plan.operation;
  const body = await readRequestBody(request, deps.limits.maxBodyBytes);
  if (!isRepeatable(group) || getParam(request.head.query, 'include_type_name') !== undefined) return false;
  const asked = body.bytes.length === 0 ? {} : parsed(body.bytes);
  const side = sideOf(plan);
  const current = await Promise.all(
    plan.indices.map(async (index) => {
      const path = `/${encodeURIComponent(nameOn(index, side))}/${askPathOf(group)}`;
      const headers = { ...body.headers, accept: 'application/json' };
      const answer = await deps.transports[side].request({ method: 'GET', path, headers, signal: request.aborted });
      return answer.status === 200 ? parsed(answer.body) : undefined;
    }),
  );
  return current.every((one) => isUnchanged({ group, params, asked }, one));
};

const parsed = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch {
    return undefined;
  }
};

const addressed = ({ head }: ClientRequest, { operation, indices }: IndexPlan, side: Side): string =>
  wireTarget(sideTarget({ operation, head, indices }, side));

const toAuthority = (shared: Shared, request: ClientRequest, plan: IndexPlan): Promise<void> => {
  const { operation, state } = plan;
  const side = sideOf(plan);
  const names = side === 'target' ? shared.namesOf(shared.deps.table()) : new Map<string, string>();
  const context = { family: operation.family, group: operation.group, origin: originOf(side, state), names };
  const { rename } = answerNeeds(context, { ...request.head, asksTokens: false });
  return shared.forward(request, {
    side,
    state,
    target: addressed(request, plan, side),
    context,
    needs: { rename, terms: false, cursor: false, hideAliases: listsAliases(request, plan) },
    safeToRepeat: isReadOnly(operation),
  });
};

/** HEAD has nothing to show. */
const listsAliases = ({ head }: ClientRequest, { operation }: IndexPlan): boolean =>
  head.method !== 'HEAD' && (operation.group === 'indices.get' || operation.group === 'indices.get_alias');

const isReadOnly = ({ access }: Operation): boolean => access === 'read';

export const createRefreshExecutor =
  (shared: Shared) =>
  async (request: ClientRequest, plan: Extract<Plan, { kind: 'refresh' }>): Promise<void> => {
    request.trace.routeSlug = plan.state.slug;
    // Begun first, so that both run at the same time; it never fails and never takes longer than its bound.
    const follower = servesReads(plan) ? refreshFollower(shared, request, plan) : undefined;
    if (follower === undefined) return toAuthority(shared, request, plan);
    const side = authorityIn(plan.state.phase.phase);
    const answer = await askSide(shared.deps, request, { side, target: addressed(request, plan, side) });
    await follower;
    await shared.forward(request, {
      side,
      state: plan.state,
      target: '',
      context: {
        family: plan.operation.family,
        group: plan.operation.group,
        origin: originOf(side, plan.state),
        names: new Map(),
      },
      needs: { rename: false, terms: false, cursor: false },
      safeToRepeat: false,
      answer,
    });
  };

const servesReads = ({ state }: Pick<IndexPlan, 'state'>): boolean => effectivePercents(state).read > 0;

/**
 * One that is left alone because it fails has not been refreshed either. A flush makes nothing to be found, whatever becomes of
 * it, and of one that ended because its client left nobody expects anything.
 */
const refreshFollower = async (shared: Shared, request: ClientRequest, plan: IndexPlan): Promise<void> => {
  const { slug } = plan.state;
  const settle = plan.operation.family === 'refresh' ? shared.refreshes.begin(plan.indices) : undefined;
  const isDone = shared.breakerOf(slug).wouldAdmit() && (await askForRefresh(shared, request, plan));
  if (!isDone && request.gone) return;
  settle?.(isDone);
  if (!isDone) shared.emit({ kind: 'refresh_failed', slug });
};

const askForRefresh = async (shared: Shared, request: ClientRequest, plan: IndexPlan): Promise<boolean> => {
  const side = otherSide(authorityIn(plan.state.phase.phase));
  const signal = AbortSignal.any([request.aborted, AbortSignal.timeout(shared.hedgeMs)]);
  const { operation, indices } = plan;
  const { path, query } = sideTarget({ operation, head: request.head, indices }, side);
  const target = wireTarget({ path, query: removeParam(query, 'filter_path') });
  try {
    return isRefreshed(await askSide(shared.deps, request, { side, target, signal }));
  } catch (err) {
    shared.deps.logger.debug({ err, route: plan.state.slug }, 'refresh of the follower failed');
    return false;
  }
};
