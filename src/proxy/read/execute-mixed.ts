/**
 * A read over several routes, or over routed and other indices, on the one side that has all of them. Nothing in it is
 * rewritten, since every name means the same there; but a cursor that it opens must name its side, and tokens in the answer
 * the reign of their own route. What needs neither is streamed.
 */
import type { ClientRequest } from '../client-request.ts';
import { setParam } from '../query.ts';
import type { Plan, RequestHead } from '../types.ts';
import { withIndex } from '../write/names.ts';
import { answerNeeds } from './answer-edits.ts';
import { wireTarget } from './outgoing.ts';
import { readBody } from './read-body.ts';
import { originOfAll, reignsOn } from './reigns.ts';
import type { Shared } from './shared.ts';

type MixedPlan = Extract<Plan, { kind: 'mixed_read' }>;

export const executeMixed = async (shared: Shared, request: ClientRequest, plan: MixedPlan): Promise<void> => {
  const { operation, side, said } = plan;
  const { facts } = await readBody(request, shared.deps.limits.maxBodyBytes);
  const table = shared.deps.table();
  const context = {
    family: operation.family,
    group: operation.group,
    origin: originOfAll(side, plan),
    names: said?.side === 'target' ? shared.namesOf(table) : new Map<string, string>(),
    reignOf: reignsOn(table, { side, sameCluster: shared.deps.sameCluster }),
  };
  await shared.forward(request, {
    side,
    state: undefined,
    target: wireTarget(addressed(request.head, plan)),
    context,
    needs: answerNeeds(context, { ...request.head, asksTokens: facts?.asksTokens }),
    safeToRepeat: true,
  });
};

const addressed = (head: RequestHead, { operation, said }: MixedPlan): { path: string; query: string } => {
  if (said === undefined) return head;
  const { path, query } = withIndex({ ...head, side: said.side }, operation, said.names);
  return { path, query: said.mayMiss ? setParam(query, 'ignore_unavailable', 'true') : query };
};

export const createMixedExecutor =
  (shared: Shared) =>
  (request: ClientRequest, plan: MixedPlan): Promise<void> =>
    executeMixed(shared, request, plan);
