import { describe, expect, it } from 'vitest';
import { type IndexAnswer, indexInfoOf, namesTask, StatsAnswer, shardsOf } from '../../../src/agent/control-answers.ts';
import { type ClusterControl, createClusterControl } from '../../../src/agent/cluster.ts';
import { checkPosition, type IndexPosition, takePosition } from '../../../src/agent/positions.ts';
import { hastyRuntime } from '../../support/manual-runtime.ts';

const position: IndexPosition = { uuid: 'u1', cursors: [10, -1], histories: ['h0', 'h1'] };
const shard = (number: number, over: Partial<{ globalCheckpoint: number; history: string | undefined }> = {}) => ({
  shard: number,
  primaryNode: 'n1',
  maxSeqNo: 20,
  globalCheckpoint: 15,
  history: `h${number}`,
  ...over,
});

describe('a position on an index', () => {
  it.each([
    ['holds while the index is the same', { uuid: 'u1', shards: [shard(0), shard(1)] }, 'ok'],
    ['is void when the index is gone', undefined, 'index_recreated'],
    ['is void when the index has another UUID', { uuid: 'u2', shards: [shard(0), shard(1)] }, 'index_recreated'],
    [
      'is void when a shard was restored under the same UUID',
      { uuid: 'u1', shards: [shard(0, { history: 'x' }), shard(1)] },
      'index_recreated',
    ],
    [
      'is void when there are more shards than before',
      { uuid: 'u1', shards: [shard(0), shard(1), shard(2)] },
      'index_recreated',
    ],
    ['waits for a shard without a primary', { uuid: 'u1', shards: [shard(0)] }, 'unavailable'],
    [
      'waits for a promoted replica that knows an older checkpoint',
      { uuid: 'u1', shards: [shard(0, { globalCheckpoint: 9 }), shard(1)] },
      'unavailable',
    ],
    ['holds where histories are not told', { uuid: 'u1', shards: [shard(0, { history: undefined }), shard(1)] }, 'ok'],
  ])('%s', (_title, stats, kind) => {
    expect(checkPosition('p1', position, stats).kind).toBe(kind);
  });
});

describe('taking a position', () => {
  const runtime = hastyRuntime();
  const info = indexInfoOf({
    p1: { aliases: {}, mappings: {}, settings: { 'index.uuid': 'u1', 'index.number_of_shards': '3' } },
  });
  const answering = (stats: unknown, status = 200): ClusterControl => ({
    ...createClusterControl({
      request: async () => ({ status, headers: {}, body: Buffer.from(JSON.stringify(stats)) }),
    }),
    getIndex: async () => info,
  });
  const copies = (history: string) => [
    {
      routing: { state: 'STARTED', primary: true, node: 'n1' },
      seq_no: { max_seq_no: 4, local_checkpoint: 4, global_checkpoint: 4 },
      commit: { user_data: { history_uuid: history } },
    },
  ];
  const take = (cluster: ClusterControl) => takePosition('p1', 'start', { cluster, runtime });

  it('finds each history under the number of its shard, also when a shard is missing', async () => {
    const shards = { '1': copies('h1'), '2': copies('h2') };
    expect(await take(answering({ indices: { p1: { uuid: 'u1', shards } } }))).toMatchObject({
      kind: 'unavailable',
      detail: 'p1: 1 shards have no started primary',
    });
  });

  it('takes an index of which no shard is assigned for one that is out of reach, and not for one that is gone', async () => {
    await expect(take(answering({}))).rejects.toMatchObject({ details: { upstreamStatus: 503 } });
    expect(await take(answering({ error: {} }, 404))).toMatchObject({ kind: 'index_recreated' });
  });
});

describe('control answers', () => {
  const copy = (primary: boolean, state: string, node: string | null, globalCheckpoint: number) => ({
    routing: { state, primary, node },
    seq_no: { max_seq_no: 9, local_checkpoint: 9, global_checkpoint: globalCheckpoint },
  });

  it('give the primary of each shard, in order, and leave out shards without one', () => {
    const stats = StatsAnswer.parse({
      indices: {
        p1: {
          uuid: 'u',
          shards: {
            '10': [copy(true, 'STARTED', 'n2', 4)],
            '2': [copy(false, 'STARTED', 'n1', 3), copy(true, 'RELOCATING', 'n2', 5)],
            '3': [copy(false, 'STARTED', 'n1', 3), copy(true, 'INITIALIZING', 'n2', -1)],
          },
        },
      },
    });
    expect(
      shardsOf(stats, 'p1')?.shards.map(({ shard: number, globalCheckpoint }) => [number, globalCheckpoint]),
    ).toEqual([
      [2, 5],
      [10, 4],
    ]);
    expect(shardsOf(stats, 'other')).toBeUndefined();
  });

  it('tell an index by its settings, and refuse a name that means several', () => {
    const body = (uuid: string) => ({
      aliases: {},
      mappings: {},
      settings: {
        'index.uuid': uuid,
        'index.number_of_shards': '3',
        'index.number_of_replicas': '1',
        'index.replication.type': 'SEGMENT',
      },
    });
    const one: (typeof IndexAnswer)['_output'] = { p1: body('u') };
    expect(indexInfoOf(one)).toMatchObject({
      name: 'p1',
      uuid: 'u',
      shards: 3,
      replicas: 1,
      segmentReplication: true,
    });
    expect(indexInfoOf({ p1: body('u'), p2: body('v') })).toBeUndefined();
  });

  it.each([
    ['requests[1], index[p1][0]', true],
    ['requests[3], indices[other, p1]', true],
    ['update-by-query [p1]', true],
    ['reindex from [a] to [p1]', true],
    ['reindex from [a, p1] to [backup][_doc]', false],
    ["reindex from [host=h port=9200][p1] updated with Script{idOrCode='1'} to [backup]", false],
    ['requests[1], index[p10][0]', false],
    ['', false],
  ])('find the index in a task described as %j: %s', (description, expected) => {
    expect(namesTask({ id: 't', action: 'a', description, parent: undefined }, ['p1'])).toBe(expected);
  });

  // As OpenSearch 3.8.0 describes them.
  it.each([
    ['requests[2000], indices[crossfade-p-e1]', true],
    ['requests[2000], indices[other, crossfade-p-c3]', true],
    ['index {[crossfade-p-e1][z0], source[{"b":0}]}', true],
    ['update {[crossfade-p-e1][z0], doc[index {[null][null], source[{"b":1}]}]', true],
    ['delete {[crossfade-p-c3][z0]}', true],
    ['requests[1], indices[crossfade-p-e10]', false],
    ['requests[1], indices[crossfade-p-e1-1]', false],
  ])('find the alias that a write came through in %j: %s', (description, expected) => {
    const task = { id: 't', action: 'indices:data/write/bulk', description, parent: undefined };
    expect(namesTask(task, ['crossfade-p-e1', 'crossfade-p-c3'])).toBe(expected);
  });
});
