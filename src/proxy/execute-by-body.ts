/**
 * Carries out plans whose names stand in the body: reads it, asks the planner again, and does what that says. The body has
 * been read whole by then, so passing it on sends the bytes that were received.
 */
import type { Side } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import type { ClientRequest } from './client-request.ts';
import type { Executors } from './executors.ts';
import { planBody } from './planning/body.ts';
import type { Plan, RouteTable } from './types.ts';
import { readRequestBody } from './write/request-body.ts';

export type ByBodyDeps = {
  /** The routes as they are when the body has arrived. */
  readonly table: () => RouteTable;
  readonly now: () => Date;
  readonly maxBodyBytes: number;
  /** Source and target are one cluster. */
  readonly sameCluster?: boolean;
  /** Sends the request to a side and its answer back, bytes untouched. */
  readonly pass: (request: ClientRequest, side: Side) => Promise<void>;
  readonly cursor: Executors['cursor'];
  readonly admin: Executors['admin'];
};

export const createByBodyExecutor =
  (deps: ByBodyDeps): Executors['by_body'] =>
  async (request, { operation }) => {
    const { bytes } = await readRequestBody(request, deps.maxBodyBytes);
    const { sameCluster = false } = deps;
    await carryOut(
      deps,
      request,
      planBody({ operation, body: bytes, table: deps.table(), now: deps.now(), sameCluster }),
    );
  };

const carryOut = (deps: ByBodyDeps, request: ClientRequest, plan: Plan): Promise<void> => {
  switch (plan.kind) {
    case 'pass':
      return deps.pass(request, plan.side);
    case 'cursor':
      return deps.cursor(request, plan);
    case 'admin':
      return deps.admin(request, plan);
    case 'reject':
      throw plan.error;
    default:
      throw new CrossfadeError('INTERNAL', `a body was planned as ${plan.kind}`);
  }
};
