/** The executors of writes, for the switch over plans. Each answers its request once or throws a CrossfadeError. */
import type { DocKey, RouteState } from '../../coordination/ports.ts';
import type { ClientRequest } from '../client-request.ts';
import type { Executors } from '../executors.ts';
import { createBulkWrite } from './bulk-write.ts';
import { createByQuery } from './by-query.ts';
import { createPipelines } from './pipelines.ts';
import type { WriteClient, WriteDeps } from './ports.ts';
import { createReindex } from './reindex.ts';
import { createSingleWrite } from './single-write.ts';

export type { WriteDeps, WriteEvent } from './ports.ts';

/** Resolves to whether it was done. Without a way to repair, verify finds them. */
const copyAnew =
  ({ repairIds, logger }: WriteDeps) =>
  async (state: RouteState, docs: readonly DocKey[]): Promise<boolean> => {
    try {
      await repairIds?.(state, docs, 'same_stamp');
      return true;
    } catch (err) {
      logger.warn(
        { err, route: state.slug, documents: docs.length },
        'documents written while the index was given a pipeline could not be copied anew yet; once the route has moved on, verify and repair',
      );
      return false;
    }
  };

export const createWriteExecutors = (deps: WriteDeps): Pick<Executors, 'write' | 'bulk' | 'by_query' | 'reindex'> => {
  const pipelines = createPipelines({ ...deps, copyAnew: copyAnew(deps) });
  const named =
    <P>(execute: (client: WriteClient, plan: P) => Promise<void>, slugOf: (plan: P) => string | undefined) =>
    (client: ClientRequest, plan: P): Promise<void> => {
      client.trace.routeSlug ??= slugOf(plan);
      return execute(client, plan);
    };
  return {
    write: named(createSingleWrite({ deps, pipelines }), (plan) => plan.index.state.slug),
    bulk: createBulkWrite({ deps, pipelines }),
    by_query: named(createByQuery(deps), (plan) => plan.indices[0]?.state.slug),
    reindex: createReindex(deps),
  };
};
