import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countProof } from '../../../src/agent/proof.ts';
import { beginTail, tailStep } from '../../../src/agent/tail.ts';
import { beginVerify, type VerifyAsk, verifyStep } from '../../../src/agent/verify.ts';
import type { VerifyIo } from '../../../src/agent/verify-io.ts';
import { judge, sameDocument } from '../../../src/agent/verify-judge.ts';
import { sampleWalks, type Walk } from '../../../src/agent/verify-state.ts';
import { type Engine, engine } from './engine.ts';

const verify = async (made: { io: VerifyIo }, ask: VerifyAsk) => {
  const begun = await beginVerify(ask, made.io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  let result = await verifyStep(begun.state, made.io);
  while (result.kind === 'more') result = await verifyStep(JSON.parse(JSON.stringify(result.state)), made.io);
  return result;
};
const tailAll = async ({ io }: Engine) => {
  const begun = await beginTail('start', io);
  if (begun.kind === 'ok') await tailStep(begun.state, io);
};
const onFollower = (made: Engine, id: string, source: string, version?: bigint) =>
  made.pair.target.storage.write({ op: 'index', index: 'p2', id, source, external: version !== undefined, version });
const dropFromFollower = (made: Engine, id: string) =>
  made.pair.target.storage.write({ op: 'delete', index: 'p2', id });

const filled = async (docs = 40): Promise<Engine> => {
  const made = engine();
  for (let i = 0; i < docs; i++) made.put(`d${i}`, { i });
  await tailAll(made);
  return made;
};
const modes = ['stamp', 'hash', 'full'] as const;

describe('verification', () => {
  it.each(modes)('by %s of equal sides finds nothing', async (mode) => {
    const made = await filled();
    expect(await verify(made, { mode })).toMatchObject({
      kind: 'done',
      state: { counts: { missing: 0, extra: 0, different: 0 }, unstable: 0, checked: 40, findings: [] },
    });
  });

  it.each(modes)('by %s lists exactly what is missing, extra and different', async (mode) => {
    const made = await filled();
    dropFromFollower(made, 'd3');
    onFollower(made, 'd5', '{"i":"other"}');
    onFollower(made, 'stranger', '{}');
    const { state } = await verify(made, { mode });
    expect(state.findings.map(({ kind, id }) => `${kind} ${id}`).sort()).toEqual([
      'different d5',
      'extra stranger',
      'missing d3',
    ]);
  });

  it.each(modes)('by %s names a transform that fails as the reason, and goes on', async (mode) => {
    const made = await filled();
    dropFromFollower(made, 'd3');
    onFollower(made, 'd5', '{"i":5}');
    const transform = (doc: unknown, { id }: { id: string }) => {
      if (id === 'd3' || id === 'd5') throw new Error('bad one');
      return doc;
    };
    const { kind, state } = await verify({ io: { ...made.io, transform } }, { mode });
    expect(kind).toBe('done');
    expect(state.findings.map(({ id, reason }) => `${id} ${reason}`).sort()).toEqual([
      'd3 transform: bad one',
      'd5 transform: bad one',
    ]);
  });

  it.each(modes)('by %s reads documents with comments by what they mean', async (mode) => {
    const made = await filled();
    made.put('d5', `{"i":5} // five`);
    made.put('d6', `{"i":6} // six`);
    await tailAll(made);
    expect(await verify(made, { mode })).toMatchObject({ kind: 'done', state: { findings: [], unstable: 0 } });
    onFollower(made, 'd6', `{"i":"six"} // six`);
    const { state } = await verify(made, { mode });
    expect(state.findings).toMatchObject([{ kind: 'different', id: 'd6' }]);
  });

  it('says where documents differ in full mode, and finds versions that would bar later copies', async () => {
    const made = await filled();
    onFollower(made, 'd5', '{"i":5,"more":1}');
    for (let i = 0; i < 50; i++) onFollower(made, 'd6', '{"i":6}');
    const { state } = await verify(made, { mode: 'full' });
    const byId = Object.fromEntries(state.findings.map((finding) => [finding.id, finding]));
    expect(byId['d5']).toMatchObject({ kind: 'different', reason: 'content', paths: ['more'] });
    expect(byId['d6']?.reason).toMatch(/^version \d+ would bar later copies$/);
    expect((await verify(made, { mode: 'hash' })).state.counts.different).toBe(1);
  });

  it('takes documents of an earlier reign by their content', async () => {
    const made = await filled();
    const direction = { ...made.direction, reign: 2 };
    const later = { io: { ...made.io, direction } };
    expect((await verify(later, { mode: 'stamp' })).state.counts).toEqual({ missing: 0, extra: 0, different: 0 });
  });

  it('does not report a copy that arrives while it waits', async () => {
    const made = await filled();
    made.put('late', {});
    let looks = 0;
    const { mget } = made.io.clusters.target;
    const target = {
      ...made.io.clusters.target,
      mget: async (get: Parameters<typeof mget>[0]) => {
        if (get.docs.some(({ id }) => id === 'late') && ++looks === 3) await tailAll(made);
        return mget(get);
      },
    };
    const io = { ...made.io, clusters: { ...made.io.clusters, target } };
    expect((await verify({ io }, { mode: 'hash' })).state.counts.missing).toBe(0);
    expect(looks).toBeGreaterThanOrEqual(3);
  });

  it('counts documents that keep changing as unstable and accuses none of them', async () => {
    const made = await filled(10);
    const { mget } = made.io.clusters.source;
    const source = {
      ...made.io.clusters.source,
      mget: async (get: Parameters<typeof mget>[0]) => {
        made.put('busy', { at: made.pair.source.requests.length });
        return mget(get);
      },
    };
    made.put('busy', {});
    const io = { ...made.io, clusters: { ...made.io.clusters, source } };
    expect((await verify({ io }, { mode: 'hash' })).state).toMatchObject({
      unstable: 1,
      // The busy one was not compared.
      checked: 10,
      counts: { missing: 0, different: 0 },
    });
  });

  it.each(['source', 'target'] as const)(
    'takes a step again in which a shard of the %s could not say',
    async (side) => {
      const made = await filled(10);
      const begun = await beginVerify({ mode: 'full' }, made.io);
      if (begun.kind !== 'ok') throw new Error(begun.detail);
      const cluster = made.io.clusters[side];
      const mget: typeof cluster.mget = async (get) =>
        (await cluster.mget(get)).map((got, i) =>
          get.docs[i]?.id === 'd3' ? { kind: 'unknown', reason: 'busy' } : got,
        );
      const io = { ...made.io, clusters: { ...made.io.clusters, [side]: { ...cluster, mget } } };
      const step = await verifyStep(begun.state, io);
      expect(step).toEqual({ kind: 'unavailable', detail: 'd3 cannot be read: busy', state: begun.state });
      expect(await verifyStep(step.state, made.io)).toMatchObject({
        kind: 'done',
        state: { checked: 10, unstable: 0 },
      });
    },
  );

  it('uses the transform: equal is what the follower should hold', async () => {
    const made = engine();
    const transform = (doc: unknown) => ((doc as { i: number }).i % 2 ? null : { ...(doc as object), added: 1 });
    const io = { ...made.io, transform };
    for (let i = 0; i < 10; i++) made.put(`d${i}`, { i });
    const begun = await beginTail('start', io);
    if (begun.kind === 'ok') await tailStep(begun.state, io);
    expect(Object.keys(made.contents('target'))).toHaveLength(5);
    expect((await verify({ io }, { mode: 'full' })).state.findings).toEqual([]);
    onFollower(made, 'd1', '{}');
    expect((await verify({ io }, { mode: 'full' })).state.findings).toMatchObject([
      { kind: 'extra', id: 'd1', reason: 'the transform drops it' },
    ]);
  });

  it('leaves the state as it was when a step could not be confirmed', async () => {
    const made = await filled();
    const begun = await beginVerify({ mode: 'hash' }, made.io);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    made.pair.target.storage.deleteIndex('p2');
    const result = await verifyStep(begun.state, made.io);
    expect(['unavailable', 'index_recreated']).toContain(result.kind);
    expect(result.state).toEqual(begun.state);
  });

  it('of a sample looks at about as many documents as asked, and finds what is wrong with many', async () => {
    const made = await filled(400);
    for (let i = 0; i < 400; i++) onFollower(made, `d${i}`, '{"wrong":true}');
    const { state } = await verify(made, { mode: 'hash', sample: 60 });
    expect(state.checked).toBeGreaterThanOrEqual(60);
    expect(state.checked).toBeLessThanOrEqual(200);
    expect(state.counts.different).toBeGreaterThan(20);
  });
});

describe('walks of a sample', () => {
  it('stay within the walks they are drawn from and see no more documents than asked', () => {
    const walk = fc.record({ shard: fc.nat(5), upTo: fc.integer({ min: -1, max: 5000 }) });
    fc.assert(
      fc.property(
        fc.array(walk, { minLength: 1 }),
        fc.integer({ min: 1, max: 500 }),
        fc.noShrink(fc.infiniteStream(fc.double({ min: 0, max: 0.999999, noNaN: true }))),
        (shards, docs, draws) => {
          const walks = shards.map(({ shard, upTo }): Walk => ({ side: 'source', ordinal: 0, shard, at: -1, upTo }));
          const sample = sampleWalks(walks, docs, () => draws.next().value as number);
          expect(sample.every(({ at, upTo }) => at >= -1 && at <= upTo)).toBe(true);
          const whole = sample.every(({ docsLeft }) => docsLeft === undefined);
          if (!whole) expect(sample.reduce((sum, { docsLeft }) => sum + (docsLeft ?? 0), 0)).toBe(docs);
        },
      ),
    );
  });
});

it('walks of a sample of millions fit into a value of the store', () => {
  const walks = [0, 1].map((shard): Walk => ({ side: 'source', ordinal: 0, shard, at: -1, upTo: 100_000_000 }));
  const sample = sampleWalks(walks, 20_000_000, () => 0.3);
  expect(sample.reduce((sum, { docsLeft = 0 }) => sum + docsLeft, 0)).toBe(20_000_000);
  expect(JSON.stringify(sample).length).toBeLessThan(150_000);
});

describe('judging a pair', () => {
  const found = (source: string, version = 5n) => ({
    kind: 'found' as const,
    doc: { id: 'a', routing: undefined, seqNo: 1, primaryTerm: 1, version, source: Buffer.from(source) },
  });
  const absent = { kind: 'absent' as const };
  const bytes = (text: string) => Buffer.from(text);

  it.each([
    ['1.0 and 1', '{"n":1.0}', '{"n":1}', true],
    ['line breaks', '{\n"n":1}', '{ "n":1}', true],
    ['the order of keys', '{"a":1,"b":2}', '{"b":2,"a":1}', true],
    ['digits beyond a double', '{"n":12345678901234567890}', '{"n":12345678901234567891}', false],
    ['the order of an array', '[1,2]', '[2,1]', false],
  ])('minds %s: %s and %s are equal = %s', (_what, a, b, equal) => {
    expect(sameDocument(bytes(a), bytes(b))).toBe(equal);
  });

  it.each([
    ['nothing on both sides', { authority: absent, follower: absent, expected: undefined }, 'equal'],
    ['dropped by the transform and absent', { authority: found('{}'), follower: absent, expected: null }, 'equal'],
    ['only the authority has it', { authority: found('{}'), follower: absent, expected: bytes('{}') }, 'missing'],
    ['only the follower has it', { authority: absent, follower: found('{}'), expected: undefined }, 'extra'],
    ['equal content', { authority: found('{}'), follower: found('{}'), expected: bytes('{}') }, 'equal'],
    ['other content', { authority: found('{}'), follower: found('[]'), expected: bytes('{}') }, 'different'],
    ['a follower ahead', { authority: found('{}'), follower: found('{}', 6n), expected: bytes('{}') }, 'different'],
    [
      'a shard without answer',
      { authority: found('{}'), follower: { kind: 'unknown' as const, reason: '' }, expected: bytes('{}') },
      'unknown',
    ],
    [
      'a document that moved while it was read',
      {
        authority: found('{}'),
        follower: { kind: 'unknown' as const, reason: '', moved: true as const },
        expected: bytes('{}'),
      },
      'unclear',
    ],
  ])('%s', (_title, pair, kind) => {
    expect(judge({ ...pair, settled: pair.authority.kind === 'found' ? 5n : undefined }, 'full').kind).toBe(kind);
  });
});

describe('the count proof', () => {
  it('counts what is there after a refresh, per index', async () => {
    const made = await filled(7);
    expect(await countProof({ ...made.io, dropped: {} })).toEqual({
      equal: true,
      counts: [{ ordinal: 0, authority: 7, follower: 7 }],
    });
    onFollower(made, 'stranger', '{}');
    expect(await countProof({ ...made.io, dropped: {} })).toMatchObject({ equal: false, counts: [{ follower: 8 }] });
  });
});
