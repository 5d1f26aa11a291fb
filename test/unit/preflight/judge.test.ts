import { describe, expect, it } from 'vitest';
import { mappingDifferences, settingDifferences, targetBody } from '../../../src/agent/preflight/difference.ts';
import { type ClusterFacts, type IndexFacts, type PreflightFacts, worst } from '../../../src/agent/preflight/facts.ts';
import { judge } from '../../../src/agent/preflight/judge.ts';
import type { MissingPrivilege } from '../../../src/agent/preflight/privileges.ts';
import { packStamp } from '../../../src/coordination/stamp.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';

const spec = (over: object = {}): RouteSpec =>
  RouteSpec.parse({ route: 'products', indices: [{ source: 'p1', target: 'p2' }], aliases: ['products'], ...over });
const index = (name: string, over: Partial<IndexFacts> = {}): IndexFacts => ({
  concreteName: name,
  uuid: `uuid-${name}`,
  health: 'green',
  shards: 1,
  mappings: {},
  settings: {},
  aliases: {},
  seqSearchable: true,
  maxSeqNo: 100,
  primaryTerm: 1,
  storeBytes: 1000,
  docs: 0,
  routedDocs: 0,
  largestVersion: 3n,
  sample: [],
  ...over,
});
const cluster = (
  over: Partial<ClusterFacts> = {},
  version = '3.8.0',
  distribution: 'opensearch' | 'elasticsearch' = 'opensearch',
): ClusterFacts => ({
  info: {
    name: 'c',
    uuid: 'u',
    distribution,
    version,
    major: Number(version.split('.')[0]),
    minor: Number(version.split('.')[1]),
  },
  problem: undefined,
  health: 'green',
  freeDiskBytes: 1e9,
  clockSkewSeconds: 0,
  missingPrivileges: [],
  refusesExplicitIndex: false,
  ...over,
});
const facts = (over: Partial<PreflightFacts> = {}): PreflightFacts => ({
  spec: spec(),
  clusters: { source: cluster(), target: cluster() },
  pairs: [{ source: index('p1', { aliases: { products: {} } }), target: index('p2') }],
  aliases: new Map([['products', { p1: {} }]]),
  pipelines: {
    source: { ingest: new Map(), search: new Map() },
    target: { ingest: new Map(), search: new Map() },
  },
  namesakes: [],
  store: { kind: 'nats', connected: true, detail: 'nats 2.15', members: 2 },
  copiedBefore: false,
  byQuerySeen: 0,
  ...over,
});
const source = (over: Partial<IndexFacts>, more: Partial<PreflightFacts> = {}): PreflightFacts =>
  facts({ pairs: [{ source: index('p1', over), target: index('p2') }], ...more });
const target = (over: Partial<IndexFacts>): PreflightFacts =>
  facts({ pairs: [{ source: index('p1'), target: index('p2', over) }] });

const lacking = (missing: MissingPrivilege): PreflightFacts =>
  facts({ clusters: { source: cluster(), target: cluster({ missingPrivileges: [missing] }) } });

/** One row per rule: what is wrong, the check that says so, how hard. */
const rows: [string, PreflightFacts, string, 'warn' | 'refuse'][] = [
  [
    'a target that is killed forgets copies',
    target({ settings: { 'index.translog.durability': 'ASYNC' } }),
    'target index',
    'refuse',
  ],
  [
    'a target that is to be created would forget copies',
    facts({
      spec: spec({ createTarget: true, targetSettings: { 'translog.durability': 'async' } }),
      pairs: [{ source: index('p1', { aliases: { products: {} } }), target: undefined }],
    }),
    'target index',
    'refuse',
  ],
  [
    'a target that is to be created would forget copies, in whatever form that is written',
    facts({
      spec: spec({ createTarget: true, targetSettings: { index: { translog: { durability: 'async' } } } }),
      pairs: [{ source: index('p1', { aliases: { products: {} } }), target: undefined }],
    }),
    'target index',
    'refuse',
  ],
  [
    'a source that is killed forgets writes',
    source({ settings: { 'index.translog.durability': 'async' } }),
    'source index',
    'warn',
  ],
  [
    'the source cannot be asked',
    facts({ clusters: { source: cluster({ info: undefined, problem: 'refused' }), target: cluster() } }),
    'cluster',
    'refuse',
  ],
  [
    'bulks with an index in their lines are refused, as those of the application will be',
    facts({ clusters: { source: cluster(), target: cluster({ refusesExplicitIndex: true }) } }),
    'cluster',
    'warn',
  ],
  [
    'the version is too old',
    facts({ clusters: { source: cluster({}, '7.9.3', 'elasticsearch'), target: cluster() } }),
    'cluster',
    'refuse',
  ],
  [
    'the version is too new',
    facts({ clusters: { source: cluster(), target: cluster({}, '4.0.0') } }),
    'cluster',
    'refuse',
  ],
  [
    'another index makes a cluster red',
    facts({ clusters: { source: cluster(), target: cluster({ health: 'red' }) } }),
    'cluster',
    'warn',
  ],
  ['the source lacks a primary', source({ health: 'red' }), 'source index', 'refuse'],
  ['the target lacks a primary', target({ health: 'red' }), 'target index', 'refuse'],
  ['primary terms are not told on the source', source({ primaryTerm: undefined }), 'privileges', 'warn'],
  ['primary terms are not told on the target', target({ primaryTerm: undefined }), 'privileges', 'warn'],
  [
    'a privilege is missing',
    lacking({ privilege: 'indices:admin/aliases', on: 'p2', without: undefined }),
    'privileges',
    'refuse',
  ],
  [
    'a privilege is missing that can be done without',
    lacking({ privilege: 'cluster:monitor/nodes/stats', on: undefined, without: 'nobody looks' }),
    'privileges',
    'warn',
  ],
  [
    'the clocks differ',
    facts({ clusters: { source: cluster({ clockSkewSeconds: -90 }), target: cluster() } }),
    'clocks',
    'warn',
  ],
  [
    'the source index is missing',
    facts({ pairs: [{ source: undefined, target: index('p2') }] }),
    'source index',
    'refuse',
  ],
  ['the source is a data stream', source({ concreteName: '.ds-p1-000001' }), 'source index', 'refuse'],
  ['the source name is an alias', source({ concreteName: 'other' }), 'source index', 'refuse'],
  ['_source is disabled', source({ mappings: { _source: { enabled: false } } }), 'source index', 'refuse'],
  ['_source is filtered', source({ mappings: { _source: { excludes: ['x'] } } }), 'source index', 'refuse'],
  ['_seq_no cannot be searched', source({ seqSearchable: false }), 'source index', 'refuse'],
  ['the index is append-only', source({ settings: { 'index.append_only.enabled': 'true' } }), 'source index', 'refuse'],
  ['the source is a follower itself', source({ aliases: { 'crossfade-other-c3': {} } }), 'source index', 'refuse'],
  [
    'the source is the follower of a route whose name begins with the name of this one',
    source({ aliases: { 'crossfade-products-eu-c3': {} } }),
    'source index',
    'refuse',
  ],
  ['another route copies to the target', target({ aliases: { 'crossfade-other-c3': {} } }), 'target index', 'refuse'],
  ['another route writes to the target', target({ aliases: { 'crossfade-other-e3-1': {} } }), 'target index', 'refuse'],
  [
    'documents of somebody else stand on the target',
    target({ docs: 7, largestVersion: 12n }),
    'target index',
    'refuse',
  ],
  ['nobody can say how many documents stand on the target', target({ docs: undefined }), 'target index', 'refuse'],
  [
    'documents on the target are to be replaced',
    facts({
      spec: spec({ targetDocuments: 'replace' }),
      pairs: [{ source: index('p1', { aliases: { products: {} } }), target: index('p2', { docs: 7 }) }],
    }),
    'target index',
    'warn',
  ],
  [
    'most documents of a sample of the target are on the source, as after a snapshot',
    facts({
      pairs: [
        {
          source: index('p1', { aliases: { products: {} } }),
          target: index('p2', { docs: 7 }),
          targetSample: { docs: 7, onSource: 4 },
        },
      ],
    }),
    'target index',
    'warn',
  ],
  [
    'at most half of a sample of the target is on the source',
    facts({
      pairs: [
        {
          source: index('p1', { aliases: { products: {} } }),
          target: index('p2', { docs: 8 }),
          targetSample: { docs: 8, onSource: 4 },
        },
      ],
    }),
    'target index',
    'refuse',
  ],
  [
    'the documents on the target are not those of the target that the route copied to before',
    { ...target({ docs: 7 }), copiedBefore: true },
    'target index',
    'refuse',
  ],
  [
    'documents stand on a target that a try without copies left an alias on',
    target({ docs: 7, aliases: { 'crossfade-products-c1': {} } }),
    'target index',
    'refuse',
  ],
  [
    'versions on the target are as large as stamps, where the application sets them',
    {
      ...target({ docs: 7, largestVersion: 2n ** 60n }),
      spec: spec({ versions: 'external' }),
    },
    'target index',
    'refuse',
  ],
  [
    'an alias of the application that looks like ours is not listed',
    source({ aliases: { 'crossfade-search': {} } }),
    'alias',
    'refuse',
  ],
  ['versions look external', source({ largestVersion: 2n ** 50n }), 'source index', 'warn'],
  ['the target is missing', facts({ pairs: [{ source: index('p1'), target: undefined }] }), 'target index', 'refuse'],
  ['the target is write-blocked', target({ settings: { 'index.blocks.write': 'true' } }), 'target index', 'refuse'],
  ['an alias is not listed', source({ aliases: { secret: {} } }), 'alias', 'refuse'],
  ['the source has a default pipeline', source({ settings: { 'index.default_pipeline': 'p' } }), 'pipelines', 'warn'],
  ['the target has a final pipeline', target({ settings: { 'index.final_pipeline': 'x' } }), 'pipelines', 'refuse'],
  ['sequence numbers do not fit a stamp', source({ maxSeqNo: 2 ** 41 }), 'stamps', 'refuse'],
  ['mappings differ', target({ mappings: { properties: { a: { type: 'long' } } } }), 'differences', 'warn'],
  ['documents are routed and shard counts differ', source({ routedDocs: 5, shards: 3 }), 'routing', 'warn'],
  [
    'the target has too little disk',
    facts({ clusters: { source: cluster(), target: cluster({ freeDiskBytes: 10 }) } }),
    'disk',
    'refuse',
  ],
  [
    'the store is away',
    facts({ store: { kind: 'nats', connected: false, detail: 'no server', members: 0 } }),
    'store',
    'refuse',
  ],
  [
    'the embedded store would serve two replicas',
    facts({ store: { kind: 'file', connected: true, detail: '', members: 2 } }),
    'store',
    'refuse',
  ],
  [
    'the source has an index of its own with the name of the target',
    facts({ namesakes: ['p2'] }),
    'target index',
    'refuse',
  ],
  [
    'the target keeps parts of documents only',
    target({ mappings: { _source: { excludes: ['x'] } } }),
    'target index',
    'refuse',
  ],
  [
    'the transform cannot be used by the agent',
    facts({ transform: { problem: 'cannot be loaded', where: 'agent' } }),
    'transform',
    'refuse',
  ],
  [
    'the transform cannot be used where doctor runs',
    facts({ transform: { problem: 'cannot be loaded', where: 'here' } }),
    'transform',
    'warn',
  ],
  ['by-query requests were seen', facts({ byQuerySeen: 2 }), 'by-query', 'warn'],
];

describe('preflight', () => {
  it('finds nothing wrong with a plain route', () => {
    const findings = judge(facts());
    expect(worst(findings)).toBe('ok');
    expect(findings.length).toBeGreaterThan(5);
    expect(findings.filter(({ todo }) => todo !== undefined)).toEqual([]);
  });

  for (const [why, given, check, level] of rows) {
    it(`${level === 'warn' ? 'warns' : 'refuses'} when ${why}, with a reason and what to do`, () => {
      const found = judge(given).filter((finding) => finding.level !== 'ok' && finding.check === check);
      expect(found.map((finding) => finding.level)).toContain(level);
      for (const { reason, todo } of found) expect([reason !== '', (todo ?? '') !== '']).toEqual([true, true]);
    });
  }

  it('says of a health that it could not read what is needed to read it, and nothing of shards', () => {
    const right = { privilege: 'cluster:monitor/health', on: undefined, without: undefined };
    const found = judge({
      ...source({ health: 'denied' }),
      clusters: { source: cluster({ health: 'denied', missingPrivileges: [right] }), target: cluster() },
    });
    const said = found.filter(({ level }) => level !== 'ok').map(({ reason, todo }) => `${reason}; ${todo}`);
    expect(said).toEqual([
      'health cannot be read; grant cluster:monitor/health to the configured user',
      'missing: cluster:monitor/health; grant it to the configured user',
      'health cannot be read; grant cluster:monitor/health to the configured user',
    ]);
    const silent = judge(target({ health: 'unreachable' })).map(({ todo }) => todo ?? '');
    expect(silent.filter((todo) => /shard/.test(todo))).toEqual([]);
  });

  it('lets a missing target pass when it is to be created', () => {
    expect(
      worst(judge(facts({ spec: spec({ createTarget: true }), pairs: [{ source: index('p1'), target: undefined }] }))),
    ).toBe('ok');
  });

  it('lets a target pass that carries aliases of the route itself, and a source that another route wrote to', () => {
    const own = index('p2', { aliases: { 'crossfade-products-c1': {}, 'crossfade-products-e4': {} } });
    const chained = index('p1', { aliases: { products: {}, 'crossfade-before-e4': {} } });
    expect(worst(judge(facts({ pairs: [{ source: chained, target: own }] })))).toBe('ok');
  });

  it.each([
    ['that has stamps', false, { largestVersion: packStamp('narrow', { reign: 1, term: 1, seq: 0 }) }],
    ['that has wide stamps', false, { largestVersion: packStamp('wide', { reign: 1, term: 1, seq: 0 }) }],
    ['that an earlier stay copied to', true, { aliases: { 'crossfade-products-c1-2': {} } }],
  ])('lets a target pass with documents %s', (_, copiedBefore, over) => {
    const pair = { source: index('p1', { aliases: { products: {} } }), target: index('p2', { docs: 7, ...over }) };
    expect(worst(judge(facts({ copiedBefore, pairs: [pair] })))).toBe('ok');
  });

  it('shows differences by document path and leaves an index its own settings', () => {
    const mappings = { properties: { a: { type: 'text' }, b: { properties: { c: { type: 'date' } } } } };
    const other = { properties: { a: { type: 'keyword' }, b: { properties: { c: { type: 'date' } } } } };
    expect(mappingDifferences(mappings, other)).toEqual([{ path: 'a.type', source: '"text"', target: '"keyword"' }]);
    expect(settingDifferences({ 'index.uuid': 'x', 'index.codec': 'best' }, { 'index.uuid': 'y' })).toEqual([
      { path: 'index.codec', source: 'best', target: 'absent' },
    ]);
  });

  it('builds the target from the source with overrides on top, and without what would forget or change copies', () => {
    const body = targetBody(
      {
        mappings: { properties: {} },
        settings: {
          'index.uuid': 'x',
          'index.number_of_shards': '1',
          'index.codec': 'best',
          'index.translog.durability': 'async',
          'index.final_pipeline': 'enrich',
        },
      },
      { settings: { number_of_shards: 5 } },
    );
    expect(body.settings).toEqual({ 'index.number_of_shards': 5, 'index.codec': 'best' });
  });

  it.each([
    ['under index', {}, { index: { number_of_shards: 6 } }, { 'index.number_of_shards': 6 }],
    ['partly flat', {}, { routing: { 'rebalance.enable': 'all' } }, { 'index.routing.rebalance.enable': 'all' }],
    [
      'beside what the source has',
      { 'index.analysis.filter.s.type': 'stop', 'index.analysis.filter.s.stopwords': ['the'] },
      { analysis: { filter: { s: { stopwords: ['der'] } } } },
      { 'index.analysis.filter.s.type': 'stop', 'index.analysis.filter.s.stopwords': ['der'] },
    ],
    ['taken back', { 'index.codec': 'best' }, { index: { codec: null } }, { 'index.codec': null }],
    ['empty', {}, { analysis: {} }, {}],
  ])('names an override that is nested by its full name: %s', (_, settings, overrides, expected) => {
    expect(targetBody({ mappings: {}, settings }, { settings: overrides }).settings).toEqual(expected);
  });
});

it('what the target holds already needs no disk once more', () => {
  const filled = facts({
    pairs: [{ source: index('p1'), target: { ...index('p2'), storeBytes: 1_500 } }],
    clusters: { source: cluster(), target: cluster({ freeDiskBytes: 600 }) },
  });
  expect(judge(filled).find(({ check }) => check === 'disk')?.level).toBe('ok');
});
