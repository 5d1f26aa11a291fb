import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ndjson } from '../../support/ndjson.ts';
import { type Fixture, useRoute } from './fixture.ts';

const settle = ({ route, slug }: Fixture) => eventually(() => route.admission.report(slug)?.inFlight === 0);

const expectEqual = async (fixture: Fixture, count: number) => {
  await settle(fixture);
  const [source, target] = [await fixture.route.documents('source'), await fixture.route.documents('target')];
  expect(source.size).toBe(count);
  expect([...target].sort()).toEqual([...source].sort());
};

describe('a route whose application supplies the versions', () => {
  const fixture = useRoute({ spec: () => ({ versions: 'external' }) });

  it('carries the same version to both sides and never goes back', async () => {
    const { write, bulk, slug, route } = fixture;
    const versioned = (version: string) => `/${slug}/_doc/1?version=${version}&version_type=external`;
    expect((await write('PUT', versioned('9007199254740993'), { n: 1 })).status).toBe(201);
    expect((await write('PUT', versioned('5'), { n: 2 })).status).toBe(409);
    const got = await bulk(`/${slug}/_bulk`, [
      { index: { _id: '2', version: 7, version_type: 'external' } },
      { n: 3 },
      { delete: { _id: '3', version: 8, version_type: 'external' } },
      { index: { _id: '4' } },
      { n: 4 },
      { update: { _id: '2' } },
      { doc: { n: 5 } },
    ]);
    expect(got.json).toMatchObject({
      items: [
        { index: { status: 201 } },
        { delete: { status: 404 } },
        { index: { status: 400 } },
        { update: { status: 400 } },
      ],
    });
    await expectEqual(fixture, 2);
    const { body } = await route.call('target', 'GET', `/${slug}-v2/_doc/1?_source=false`);
    expect(body.toString()).toContain('"_version":9007199254740993');
    expect((await write('PUT', `/${slug}/_doc/1`, { n: 1 })).headers['x-crossfade-error']).toBe('UNSUPPORTED');
    expect((await write('DELETE', versioned('9007199254740994'))).status).toBe(200);
    await expectEqual(fixture, 1);
  });
});

describe('a route with several indices, routing and a write index', () => {
  const fixture = useRoute({
    spec: ({ source, target, slug }) => ({
      indices: [
        { source, target },
        { source: `${source}-b`, target: `${target}-b` },
      ],
      aliases: [
        { name: `${slug}-eu`, indices: [source], routing: 'eu' },
        { name: `${slug}-all`, writeIndex: `${source}-b` },
      ],
    }),
  });

  it('writes where each name leads', async () => {
    const { write, bulk, slug, source, route } = fixture;
    expect((await write('PUT', `/${slug}-eu/_doc/1`, { n: 1 })).json).toMatchObject({ _index: source });
    expect((await write('PUT', `/${slug}-eu/_doc/2?routing=us`, { n: 1 })).status).toBe(400);
    expect((await write('PUT', `/${slug}-all/_doc/3`, { n: 1 })).json).toMatchObject({ _index: `${source}-b` });
    const got = await bulk(`/${slug}-all/_bulk`, [
      { index: { _id: '4' } },
      { n: 4 },
      { index: { _id: '5', _index: `${slug}-eu` } },
      { n: 5 },
      { delete: { _id: '5', _index: `${slug}-eu`, routing: 'us' } },
      { update: { _id: '1', _index: `${slug}-eu` } },
      { doc: { n: 6 } },
      { index: { _id: '6', _index: source, routing: 'q' } },
      { n: 6 },
    ]);
    const items = (got.json as { items: Record<string, { status: number; _index: string }>[] }).items;
    expect(items.map((item) => Object.values(item).map(({ status }) => status))).toEqual([
      [201],
      [201],
      [400],
      [200],
      [201],
    ]);
    await expectEqual(fixture, 3);
    const [first, second] = [await route.documents('target', 0), await route.documents('target', 1)];
    expect([...first]).toEqual(
      expect.arrayContaining([
        ['1', '"eu" {"n":6}'],
        ['5', '"eu" {"n":5}'],
        ['6', '"q" {"n":6}'],
      ]),
    );
    expect([...second.keys()].sort()).toEqual(['3', '4']);
  });
});

describe('unusual bodies', () => {
  const fixture = useRoute();

  it('in YAML and CBOR are copied as the authority shows them in JSON, where the answer is JSON', async () => {
    const { send, slug } = fixture;
    const yaml = { 'content-type': 'application/yaml', accept: 'application/json' };
    expect((await send({ method: 'PUT', path: `/${slug}/_doc/y`, body: '---\nn: 1\n', headers: yaml })).status).toBe(
      201,
    );
    expect((await send({ method: 'POST', path: `/${slug}/_doc`, body: '---\nn: 2\n', headers: yaml })).status).toBe(
      201,
    );
    const cbor = { 'content-type': 'application/cbor', accept: 'application/json' };
    const body = Buffer.from('bf616e03ff', 'hex');
    expect((await send({ method: 'PUT', path: `/${slug}/_doc/c`, body, headers: cbor })).status).toBe(201);
    await expectEqual(fixture, 3);
    expect(fixture.route.left).toEqual([]);
  });

  it('with comments are copied without losing what follows them', async () => {
    const { write, slug, route } = fixture;
    await write('PUT', `/${slug}/_doc/comment`, '{"a":1, // one\n"b":2 /* two\n */,"c":3}');
    await settle(fixture);
    const copied = (await route.documents('target')).get('comment') as string;
    expect(JSON.parse(copied)).toEqual({ a: 1, b: 2, c: 3 });
  });

  it('of fifty megabytes in one bulk arrive whole on both sides, however they are cut', async () => {
    const { bulk, slug, source, route } = fixture;
    const text = 'x'.repeat(1024 * 1024 - 40);
    const lines = Array.from({ length: 50 }, (_, n) => [
      { index: { _index: n % 2 === 0 ? slug : source, _id: `big-${n}` } },
      `{"text":"${text}","n":${n}.0}`,
    ]);
    expect(Buffer.byteLength(ndjson(lines.flat()))).toBeGreaterThan(49 * 1024 * 1024);
    expect((await bulk('/_bulk', lines.flat())).json).toMatchObject({ errors: false });
    await settle(fixture);
    const count = async (side: 'source' | 'target') => {
      const index = route.state.spec.indices[0]?.[side];
      await route.call(side, 'POST', `/${index}/_refresh`);
      const path = `/${index}/_search?size=0&q=${encodeURIComponent('n:[0 TO 49] AND _exists_:text')}`;
      return (JSON.parse((await route.call(side, 'GET', path)).body.toString()) as { hits: { total: unknown } }).hits
        .total;
    };
    expect(await count('source')).toEqual({ value: 50, relation: 'eq' });
    expect(await count('target')).toEqual({ value: 50, relation: 'eq' });
  });
});
