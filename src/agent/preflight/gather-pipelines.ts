/**
 * The pipelines that the indices of a route name by default, for writes and for searches, as they are on each side. Which
 * may not be read is said by the right that is missing; what is not there is known not to be. Changes nothing.
 */
import type { Side } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { CrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import type { PairFacts, PreflightFacts } from './facts.ts';
import { defaultPipelines } from './judge-pipelines.ts';
import type { PipelineKind } from './pipeline-kind.ts';
import { type MissingPrivilege, missingIn, type PipelineProbe, pipelineProbe } from './privileges.ts';

type Looked = { known: Map<string, unknown>; missing: MissingPrivilege[] };

/** @throws UPSTREAM_REFUSED when it stays unknown whether there is one */
const lookFor = async (cluster: ClusterControl, probe: PipelineProbe, { known, missing }: Looked): Promise<void> => {
  const answer = await cluster.json(probe.method, probe.path);
  const denied = missingIn(probe, answer);
  if (denied.length > 0) missing.push(...denied);
  else if (answer.status === 404) known.set(probe.id, undefined);
  else if (answer.status === 200) known.set(probe.id, (answer.body as Record<string, unknown>)[probe.id]);
  else throw new CrossfadeError('UPSTREAM_REFUSED', `${probe.method} ${probe.path}: ${answer.status}`);
};

type Found = Pick<PreflightFacts, 'pipelines'> & { missing: Record<Side, readonly MissingPrivilege[]> };

export const gatherPipelines = async (
  clusters: Record<Side, ClusterControl>,
  spec: RouteSpec,
  pairs: readonly PairFacts[],
): Promise<Found> => {
  const look = async (side: Side, kind: PipelineKind): Promise<Looked> => {
    const looked: Looked = { known: new Map(), missing: [] };
    for (const id of defaultPipelines(spec, pairs, { side, kind }))
      await lookFor(clusters[side], pipelineProbe(kind, id, side), looked);
    // One right reads them all.
    return { ...looked, missing: looked.missing.slice(0, 1) };
  };
  const on = async (side: Side) => {
    const [ingest, search] = await Promise.all([look(side, 'ingest'), look(side, 'search')]);
    return { known: { ingest: ingest.known, search: search.known }, missing: [...ingest.missing, ...search.missing] };
  };
  const [source, target] = await Promise.all([on('source'), on('target')]);
  return {
    pipelines: { source: source.known, target: target.known },
    missing: { source: source.missing, target: target.missing },
  };
};
