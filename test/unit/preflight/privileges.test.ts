import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pipelineKinds } from '../../../src/agent/preflight/pipeline-kind.ts';
import {
  findMissing,
  missingIn,
  pipelineProbe,
  type Probe,
  probesFor,
} from '../../../src/agent/preflight/privileges.ts';
import { createClusterControl } from '../../../src/agent/cluster.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import type { UpstreamRequest } from '../../../src/upstream/types.ts';

const spec = RouteSpec.parse({
  route: 'p',
  indices: [
    { source: 'a1', target: 'a2' },
    { source: 'b1', target: 'b2' },
  ],
  createTarget: true,
});
const probe: Probe = { privilege: 'indices:data/write/bulk', on: 'a1', method: 'POST', path: '/_bulk', bulk: true };
const denial = (privilege: string) => ({
  type: 'security_exception',
  reason: `no permissions for [${privilege}] and User [name=crossfade, backend_roles=[], requestedTenant=null]`,
});
const denied = (privilege: string) => ({ status: 403, body: { error: denial(privilege), status: 403 } });

describe('what an answer says about rights', () => {
  it.each([
    ['the one that is named', denied('indices:admin/mapping/put'), 'indices:admin/mapping/put', 'a1'],
    ['one with brackets in its name', denied('indices:data/write/bulk[s]'), 'indices:data/write/bulk[s]', 'a1'],
    ['one on the cluster', denied('cluster:monitor/state'), 'cluster:monitor/state', undefined],
    [
      'one that an item was refused for',
      {
        status: 200,
        body: JSON.stringify({ items: [{ delete: { status: 403, error: denial('indices:data/write/delete') } }] }),
      },
      'indices:data/write/delete',
      'a1',
    ],
    [
      'the one that was tried, in words that are not known',
      { status: 403, body: { Message: 'User: anonymous is not authorized' } },
      'indices:data/write/bulk',
      undefined,
    ],
  ])('finds %s', (_, answer, privilege, on) => {
    expect(missingIn(probe, answer)).toEqual([{ privilege, on, without: undefined }]);
  });

  it.each([
    ['a document that is not there', { status: 404, body: { found: false } }],
    ['a conflict', { status: 409, body: { error: { type: 'version_conflict_engine_exception' } } }],
    [
      'a block, which is looked at after the rights',
      { status: 403, body: { error: { type: 'cluster_block_exception' } } },
    ],
  ])('finds nothing missing in %s', (_, answer) => {
    expect(missingIn(probe, answer)).toEqual([]);
  });
});

describe('the rights that are tried', () => {
  const asked = (side: 'source' | 'target', over: object = {}) =>
    probesFor({ ...spec, ...over }, side)
      .flat()
      .map(({ privilege, on }) => `${privilege} ${on}`);

  it('are those on every index and on the fence', () => {
    for (const index of ['a1', 'b1', 'crossfade-fence'])
      expect(asked('source')).toContain(`indices:admin/aliases ${index}`);
    expect(asked('source').filter((one) => one === 'indices:data/write/update b1')).toHaveLength(1);
  });

  it('are the write block on the source, and creation on a target that is to be created', () => {
    const special = (side: 'source' | 'target', over?: object) =>
      asked(side, over).filter((one) => /create|settings.update/.test(one));
    expect(special('source')).toEqual([
      'indices:admin/create crossfade-fence',
      'indices:admin/settings/update a1',
      'indices:admin/settings/update b1',
    ]);
    expect(special('target')).toEqual(['crossfade-fence', 'a2', 'b2'].map((name) => `indices:admin/create ${name}`));
    expect(special('target', { createTarget: false })).toEqual(['indices:admin/create crossfade-fence']);
  });

  it('are named once each, whatever number of requests lacked them', async () => {
    const cluster = createClusterControl({
      request: async ({ path }: UpstreamRequest) => {
        const { status, body } = /a1/.test(path) ? denied('indices:admin/get') : { status: 404, body: {} };
        return { status, headers: {}, body: Buffer.from(JSON.stringify(body)) };
      },
    });
    expect(await findMissing(cluster, probesFor(spec, 'source'))).toEqual([
      { privilege: 'indices:admin/get', on: 'a1', without: undefined },
    ]);
  });

  it('are tried by requests that no user can change anything with', () => {
    for (const { method, path, body } of probesFor(spec, 'target').flat()) {
      const text = JSON.stringify(body ?? {});
      const harmless = [
        method === 'GET',
        /_(refresh|search|mget)$/.test(path),
        path.includes('require_alias=true'),
        (path + text).includes(String(Number.MAX_SAFE_INTEGER)),
        text === '{"properties":{}}',
        text.includes('"index.number_of_shards":'),
        text.includes('"remove"') && text.includes('crossfade-preflight'),
      ];
      expect([path, harmless.filter(Boolean).length]).toEqual([path, 1]);
    }
  });

  it('are all in the role that deploy/opensearch/role.json grants', () => {
    const role = JSON.parse(readFileSync('deploy/opensearch/role.json', 'utf8')) as {
      cluster_permissions: string[];
      index_permissions: { allowed_actions: string[] }[];
    };
    const granted = [...role.cluster_permissions, ...role.index_permissions.flatMap((one) => one.allowed_actions)];
    const tried = (['source', 'target'] as const).flatMap((side) => [
      ...probesFor(spec, side).flat(),
      ...pipelineKinds.map((kind) => pipelineProbe(kind, 'p', side)),
    ]);
    const isGranted = (privilege: string) =>
      granted.some(
        (action) => action === privilege || (action.endsWith('*') && privilege.startsWith(action.slice(0, -1))),
      );
    expect(tried.map(({ privilege }) => privilege).filter((privilege) => !isGranted(privilege))).toEqual([]);
  });
});
