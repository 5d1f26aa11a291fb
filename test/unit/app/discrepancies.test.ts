import { describe, expect, it } from 'vitest';
import { createDiscrepancyStore, type DiscrepancyOptions } from '../../../src/app/discrepancies.ts';
import { createThrottle } from '../../../src/app/sample-throttle.ts';
import { parseSample } from '../../../src/compare/sample-record.ts';
import type { RouteState, SampleKind } from '../../../src/coordination/ports.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { silentLogger } from '../../../src/log.ts';
import type { ShadowReport } from '../../../src/proxy/shadow/ports.ts';
import { routeState } from '../../support/routes.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import type { Redacted } from '../../../src/proxy/shadow/redaction-task.ts';
import { eventually } from '../../support/eventually.ts';

const planted = 'planted-secret';
const searchAnswer = (name: string) =>
  Buffer.from(
    JSON.stringify({
      took: 1,
      _shards: { total: 5, successful: 5, failed: 0 },
      hits: { total: { value: 1, relation: 'eq' }, hits: [{ _id: planted, _source: { name, colour: 'red' } }] },
    }),
  );

const report = (more: Partial<ShadowReport> = {}): ShadowReport => ({
  slug: 'products',
  subject: '',
  family: 'search',
  shape: { fingerprint: 'abc', label: 'search products match(name)' },
  atMs: 1_700_000_000_000,
  authority: 'source',
  observation: {
    severity: 'S7',
    differences: [
      {
        severity: 'S7',
        kind: 'value',
        path: ['hits', 'hits', { key: planted }, '_source', 'name'],
        authority: `"${planted}-a"`,
        other: `"${planted}-b"`,
      },
    ],
    counts: { S7: 1 },
  },
  baseline: undefined,
  settled: false,
  authorityMs: 1,
  otherMs: 2,
  request: {
    method: 'POST',
    path: '/products/_search',
    query: '',
    body: Buffer.from(`{"query":{"match":{"name":"${planted}"}}}`),
  },
  answers: {
    source: { status: 200, body: searchAnswer(`${planted}-a`) },
    target: { status: 200, body: searchAnswer(`${planted}-b`) },
  },
  repeat: async () => ({ ...report(more), observation: { severity: 'none', differences: [], counts: {} } }),
  ...more,
});

const setUp = (samples: object = {}, more: Partial<DiscrepancyOptions> = {}) => {
  const clock = { nowMs: 1_700_000_000_000 };
  const state: RouteState = {
    ...routeState(),
    spec: RouteSpec.parse({ ...routeState().spec, shadow: { samples } }) as RouteState['spec'],
  };
  const told: { kind: SampleKind; text: string }[] = [];
  const store = createDiscrepancyStore({
    member: 'pod-1',
    secret: () => 'secret',
    state: () => state,
    stream: () => ({ add: async (kind, text) => void told.push({ kind, text }), list: async () => [] }),
    logger: silentLogger(),
    now: () => clock.nowMs,
    ...more,
  });
  return { store, told, clock };
};

describe('samples of mismatches', () => {
  it('are kept redacted, with both answers, and by route, severity and shape', async () => {
    const { store } = setUp();
    await store.add(report());
    const [sample] = store.list('products', {});
    expect(parseSample(sample)).toEqual(sample);
    expect(sample).toMatchObject({
      member: 'pod-1',
      route: 'products',
      severity: 'S7',
      summary: 'value',
      replayable: false,
      answers: { source: { status: 200, shards: 5 }, target: { status: 200 } },
    });
    expect(JSON.stringify(sample)).not.toContain('planted');
    expect(JSON.stringify(sample)).not.toContain('red');
    expect(store.list('products', { severity: 'S7', shape: 'abc' })).toHaveLength(1);
    expect(store.list('products', { severity: 'S3' })).toEqual([]);
    expect(store.list('products', { severity: 'nonsense' })).toEqual([]);
    expect(store.list('orders', {})).toEqual([]);
    expect(store.find(sample!.id)).toBe(sample);
    expect(() => store.find('00000000')).toThrow(expect.objectContaining({ code: 'SAMPLE_UNKNOWN' }));
  });

  it('hash equal values alike over members of one installation, and otherwise over installations', async () => {
    const hashesOf = async (secret: string, member: string) => {
      const { store } = setUp({}, { secret: () => secret, member });
      await store.add(report());
      return store.list('products', {})[0]!.differences;
    };
    expect(await hashesOf('one', 'a')).toEqual(await hashesOf('one', 'b'));
    expect(await hashesOf('one', 'a')).not.toEqual(await hashesOf('two', 'a'));
  });

  it('show the fields that the route allows', async () => {
    const { store } = setUp({ clearFields: ['colour'] });
    await store.add(report());
    const { answers } = store.list('products', {})[0]!;
    expect(JSON.parse(answers.source.body!).hits.hits[0]._source).toMatchObject({
      colour: 'red',
      name: expect.stringMatching(/^#/),
    });
  });

  it('of equal answers are not kept, and of long answers only the differences', async () => {
    const { store, clock } = setUp();
    await store.add(report({ observation: { severity: 'none', differences: [], counts: {} } }));
    expect(store.list('products', {})).toEqual([]);
    clock.nowMs += 5000;
    const long = { status: 200, body: Buffer.alloc(70_000, 0x20) };
    await store.add(report({ answers: { source: long, target: long } }));
    expect(store.list('products', {})[0]!.answers).toEqual({ source: { status: 200 }, target: { status: 200 } });
  });

  it('keep no request that is as long, whose work nobody bounds', async () => {
    const { store } = setUp();
    const body = Buffer.from(JSON.stringify({ query: { terms: { id: Array.from({ length: 20_000 }, String) } } }));
    await store.add(report({ request: { ...report().request, body } }));
    expect(store.list('products', {})[0]!.request).toEqual({ method: 'POST', path: '/products/_search', query: '' });
  });

  it('are redacted apart, a bounded number at a time, and not kept where that fails', async () => {
    const asked: PromiseWithResolvers<Redacted>[] = [];
    const redact = () => {
      asked.push(Promise.withResolvers<Redacted>());
      return asked.at(-1)!.promise;
    };
    const { store, clock } = setUp({}, { redact });
    const adding = Array.from({ length: 20 }, () => {
      clock.nowMs += 1000;
      return store.add(report());
    });
    expect([asked.length, store.list('products', {})]).toEqual([16, []]);
    for (const { reject } of asked.splice(1)) reject(new Error('the thread ended'));
    asked[0]!.resolve({ request: { method: '', path: '', query: '' }, differences: [], answers: {} as never });
    await Promise.all(adding);
    expect(store.list('products', {})).toHaveLength(1);
  });

  it('are examples: a flood of one kind costs no more than one in a second, and leaves room for others', async () => {
    const { store, clock } = setUp();
    for (let i = 0; i < 1000; i++) await store.add(report());
    await store.add(report({ shape: { fingerprint: 'rare', label: 'rare' } }));
    expect(store.list('products', {}).map(({ shape }) => shape)).toEqual(['rare', 'abc']);
    clock.nowMs += 1000;
    await store.add(report());
    expect(store.list('products', { shape: 'abc' })).toHaveLength(2);
  });

  it('go into the stream only where the route asks for it, redacted alike and more rarely', async () => {
    const quiet = setUp();
    await quiet.store.add(report());
    expect(quiet.told).toEqual([]);
    const { store, told, clock } = setUp({ stream: true });
    for (let i = 0; i < 10; i++) {
      await store.add(report());
      clock.nowMs += 2000;
    }
    expect(told).toHaveLength(1);
    expect(told[0]!.kind).toEqual({ slug: 'products', severity: 'S7', shape: 'abc' });
    expect(told[0]!.text).not.toContain('planted');
    expect(parseSample(JSON.parse(told[0]!.text))).toEqual(store.list('products', {}).at(-1));
  });

  it('survive a stream that is away', async () => {
    const away = { add: () => Promise.reject(new Error('away')), list: async () => [] };
    const { store } = setUp({ stream: true }, { stream: () => away });
    await store.add(report());
    expect(store.list('products', {})).toHaveLength(1);
  });
});

describe('a stream that the permissions do not allow', () => {
  it('is told of once, and not only to those who debug', async () => {
    const told: string[] = [];
    const logger = {
      warn: (_: unknown, text: string) => void told.push(`warn ${text}`),
      debug: (_: unknown, text: string) => void told.push(`debug ${text}`),
    } as unknown as DiscrepancyOptions['logger'];
    const denied = {
      add: () => Promise.reject(new CrossfadeError('STORE_UNSUPPORTED', 'NATS permissions do not allow: publish')),
      list: async () => [],
    };
    const { store, clock } = setUp({ stream: true }, { stream: () => denied, logger });
    for (let i = 0; i < 3; i += 1) {
      await store.add(report());
      clock.nowMs += 60_000;
    }
    await eventually(() => expect(told).toHaveLength(3));
    expect(told.map((text) => text.split(' ')[0])).toEqual(['warn', 'debug', 'debug']);
  });
});

describe('a replay', () => {
  it('runs the request again where the route lets it stay in memory', async () => {
    const { store } = setUp({ replay: true });
    await store.add(report());
    const [sample] = store.list('products', {});
    expect(sample!.replayable).toBe(true);
    const replayed = await store.replay(sample!.id);
    expect(replayed).toMatchObject({ id: sample!.id, severity: 'none', differences: [] });
    expect(JSON.stringify(replayed)).not.toContain('planted');
  });

  it('is refused where only hashes were kept, with the way to allow it', async () => {
    const { store } = setUp();
    await store.add(report());
    const { id } = store.list('products', {})[0]!;
    await expect(store.replay(id)).rejects.toMatchObject({
      code: 'REPLAY_REFUSED',
      message: expect.stringContaining('shadow.samples.replay'),
    });
  });

  it('says why nothing could be compared', async () => {
    const { store } = setUp({ replay: true });
    await store.add(report({ repeat: async () => ({ skipped: 'unstable' }) }));
    const { id } = store.list('products', {})[0]!;
    expect(await store.replay(id)).toMatchObject({ skipped: 'unstable' });
  });
});

describe('the throttle of samples', () => {
  it('remembers a bounded number of kinds', () => {
    const take = createThrottle({ perCellMs: 1000, perSecond: 1e9, maxCells: 2 });
    expect(['a', 'b', 'c', 'a'].map((cell) => take(cell, 0))).toEqual([true, true, true, true]);
    expect(take('a', 500)).toBe(false);
  });

  it('takes samples on when the clock is set back by hours', () => {
    const take = createThrottle({ perCellMs: 30_000, perSecond: 1, maxCells: 10 });
    const hourMs = 3_600_000;
    expect([take('a', 2 * hourMs), take('a', 0), take('a', 500), take('a', 30_000)]).toEqual([true, true, false, true]);
  });

  it('takes so many in a second, whatever their kind', () => {
    const take = createThrottle({ perCellMs: 0, perSecond: 2, maxCells: 10 });
    expect([0, 1, 2, 999, 1000].map((atMs) => take(`k${atMs}`, atMs))).toEqual([true, true, false, false, true]);
  });
});
