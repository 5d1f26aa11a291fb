/**
 * A read over several routes, or over routed and other indices, on the one side that has all of them. Every name means the
 * same there, but for one cluster, where the plan says which to ask for; but a cursor that it opens must name its side, and
 * tokens in the answer the reign of their own route. What needs neither is streamed.
 */
import type { ClientRequest } from '../client-request.ts';
import { getFlag, setParam } from '../query.ts';
import type { Plan } from '../types.ts';
import { withIndex } from '../write/names.ts';
import { answerNeeds } from './answer-edits.ts';
import { bodyFor, bodyTrouble } from './body-words.ts';
import { withoutMissing } from './missing-followers.ts';
import { wireTarget } from './outgoing.ts';
import { readBody } from './read-body.ts';
import { originOfAll, reignsOn } from './reigns.ts';
import type { Shared } from './shared.ts';

type MixedPlan = Extract<Plan, { kind: 'mixed_read' }>;

export const executeMixed = async (shared: Shared, request: ClientRequest, plan: MixedPlan): Promise<void> => {
  const { operation, side, said } = plan;
  const { facts, hidesNames, plain, asksTokens } = await readBody(request, shared.deps.limits.maxBodyBytes);
  const table = shared.deps.table();
  const words = { table, side, sameCluster: shared.deps.sameCluster === true };
  const trouble = bodyTrouble({ ...words, facts, hidesNames, states: plan.states, query: request.head.query });
  if (trouble !== undefined) throw trouble;
  const body = facts === undefined ? plain.bytes : bodyFor(plain.bytes, facts, words);
  const context = {
    family: operation.family,
    group: operation.group,
    origin: originOfAll(side, plan),
    names: said?.side === 'target' ? shared.namesOf(table) : new Map<string, string>(),
    reignOf: reignsOn(table, words),
  };
  await shared.forward(request, {
    side,
    state: undefined,
    target: wireTarget(await addressed(shared, request, plan)),
    body: body === plain.bytes ? undefined : body,
    context,
    needs: answerNeeds(context, { ...request.head, asksTokens }),
    safeToRepeat: true,
  });
};

const addressed = async (
  shared: Shared,
  request: ClientRequest,
  { operation, said }: MixedPlan,
): Promise<{ path: string; query: string }> => {
  const { head } = request;
  if (said === undefined) return head;
  const given = getFlag(head.query, 'ignore_unavailable');
  const { names, ignoreUnavailable } = await withoutMissing(shared, request, { said, given });
  const { path, query } = withIndex({ ...head, side: said.side }, operation, names);
  return { path, query: ignoreUnavailable ? setParam(query, 'ignore_unavailable', 'true') : query };
};

export const createMixedExecutor =
  (shared: Shared) =>
  (request: ClientRequest, plan: MixedPlan): Promise<void> =>
    executeMixed(shared, request, plan);
