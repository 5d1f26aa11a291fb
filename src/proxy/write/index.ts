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

const copyAnew =
  ({ repairIds, logger }: WriteDeps) =>
  (state: RouteState, docs: readonly DocKey[]): void => {
    repairIds?.(state, docs, 'same_stamp').catch((err: unknown) =>
      logger.warn(
        { err, route: state.slug, documents: docs.length },
        'documents written while the index was given a pipeline could not be copied anew: verify and repair',
      ),
    );
  };

export const createWriteExecutors = (deps: WriteDeps): Pick<Executors, 'write' | 'bulk' | 'by_query' | 'reindex'> => {
  const { transports, now, onEvent } = deps;
  const onOutdated = copyAnew(deps);
  const pipelines = createPipelines({ transports, now, onOutdated, ...(onEvent === undefined ? {} : { onEvent }) });
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
