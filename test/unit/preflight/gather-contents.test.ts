import { expect, it } from 'vitest';
import type { ClusterControl } from '../../../src/agent/cluster.ts';
import { contentsIfAllowed } from '../../../src/agent/preflight/gather-contents.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';

const indices = [
  { source: 'a1', target: 'a2' },
  { source: 'b1', target: 'b2' },
];
const spec = RouteSpec.parse({ route: 'p', indices });
/** Each index names a pipeline of its own by default; a question about one is answered with this. */
const cluster = (status: number, body: unknown = {}): ClusterControl =>
  ({
    getIndex: async (name: string) => ({ name, settings: { 'index.default_pipeline': `for-${name}` }, aliases: {} }),
    shardStats: async () => undefined,
    primaryTerms: async () => [1],
    count: async () => 1,
    json: async (_method: string, path: string) =>
      path.startsWith('/_ingest') ? { status, body } : { status: 200, body: {} },
  }) as unknown as ClusterControl;
const looked = (source: ClusterControl, target: ClusterControl) => contentsIfAllowed({ source, target }, spec, false);

const right = { privilege: 'cluster:admin/ingest/pipeline/get', on: undefined };

it('pipelines that nobody may read are not taken for missing: the right is, and on the source it can be done without', async () => {
  const { pipelines, missing } = await looked(cluster(403), cluster(403));
  expect([pipelines.source.ingest.size, pipelines.target.ingest.size]).toEqual([0, 0]);
  expect(missing).toEqual({
    source: [{ ...right, without: expect.stringContaining('compares') }],
    target: [{ ...right, without: undefined }],
  });
});

it('pipelines that are not there are known not to be, and each is asked for by its own name', async () => {
  const { pipelines, missing } = await looked(cluster(200, { 'for-a1': { processors: [] } }), cluster(404));
  expect([...pipelines.source.ingest]).toEqual([
    ['for-a1', { processors: [] }],
    ['for-b1', undefined],
  ]);
  expect([...pipelines.target.ingest]).toEqual([
    ['for-a2', undefined],
    ['for-b2', undefined],
  ]);
  expect(missing).toEqual({ source: [], target: [] });
});

it('a cluster that does not answer for a pipeline is no cluster without it', async () => {
  await expect(looked(cluster(404), cluster(503))).rejects.toMatchObject({ code: 'UPSTREAM_REFUSED' });
});
