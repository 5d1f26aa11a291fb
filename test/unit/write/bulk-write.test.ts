import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../src/errors.ts';
import { ndjson } from '../../support/ndjson.ts';
import { bulkAnswer, fencedAnswer, fencedItem, Member, type Script, written } from './member.ts';

const indexed = (id: string, more = {}) => ({ index: { ...written({ _id: id, ...more }), status: 201 } });
const action = (id: string, index = 'products') => [{ index: { _index: index, _id: id } }, { x: Number(id) }];
const send = (member: Member, lines: unknown[], path = '/_bulk') =>
  member.sender.send({ method: 'POST', path, body: ndjson(lines) });
const other = { slug: 'moved', phase: 'target', indices: [{ source: 'm1', target: 'm2' }], aliases: [] } as const;
const idsOf = ({ json }: { json: never }) =>
  (json as { items: Record<string, { _id: string; status: number }>[] }).items.map((item) => {
    const [fields] = Object.values(item);
    return [fields?._id, fields?.status];
  });

describe('a bulk', () => {
  it('is answered with the authority’s bytes and copied item by item, in the moment of the answer', async () => {
    const text =
      '{"took":3, "errors":true,"items":[ {"index":{"_index":"products_v1","_id":"1","result":"created","_seq_no":4,"_primary_term":1,"status":201}},{"index":{"_index":"products_v1","_id":"2","status":400,"error":{"type":"t","reason":"r"}}}]}';
    const member = new Member(() => ({ body: text }));
    let settleCopy: (outcome: 'applied') => void = () => undefined;
    member.outcome = new Promise((resolve) => (settleCopy = resolve));
    const got = await send(member, [...action('1'), ...action('2')]);
    expect(got.text).toBe(text);
    expect(member.offered.map(({ id, op }) => [id, op])).toEqual([['1', 'index']]);
    expect(member.drained()).toBe(false);
    settleCopy('applied');
    await member.time.settle();
    expect(member.drained()).toBe(true);
  });

  const never = new Promise<never>(() => undefined);
  const ofBoth = [...action('1'), { delete: { _index: 'm1', _id: '2' } }];
  it.each<[string, Script, unknown[]]>([
    ['whole', () => bulkAnswer(indexed('1'), indexed('2')), [...action('1'), ...action('2')]],
    [
      'though both clusters have a part of it',
      ({ side }) =>
        bulkAnswer(side === 'source' ? indexed('1') : { delete: { ...written({ _id: '2' }), status: 200 } }),
      ofBoth,
    ],
    [
      'and the other part failed',
      ({ side }) => (side === 'target' ? new CrossfadeError('UPSTREAM_TIMEOUT') : bulkAnswer(indexed('1'))),
      ofBoth,
    ],
    [
      'though its documents have to be read back, which hangs too',
      ({ path }) =>
        path.includes('_mget') ? never : { body: { took: 1, ingest_took: 2, errors: false, items: [indexed('1')] } },
      action('1'),
    ],
  ])('is answered while its copies never settle: %s', async (_title, script, lines) => {
    const member = new Member(script, [{}, other]);
    member.outcome = never;
    expect((await send(member, lines)).status).toBe(200);
    expect(member.drained()).toBe(false);
  });

  it('is answered while the copies of what it sent before it met the fence never settle', async () => {
    const member = new Member(({ body }) =>
      body.includes('-e1') ? bulkAnswer(indexed('1'), fencedItem('index')) : bulkAnswer(indexed('2')),
    );
    member.outcome = never;
    const answer = send(member, [...action('1'), ...action('2')]);
    await member.time.settle();
    member.learn({ epoch: 2 });
    expect(idsOf(await answer)).toEqual([
      ['1', 201],
      ['2', 201],
    ]);
  });

  it('refuses the lines of a path whose date cannot be told and may lead to a route', async () => {
    const member = new Member(() => bulkAnswer(indexed('1')));
    const path = `/${encodeURIComponent('<products_{now/d{YYYY.ww}}>')}/_bulk`;
    const got = await send(member, [{ index: { _id: '1' } }, { x: 1 }], path);
    expect(idsOf(got)).toEqual([['1', 400]]);
    expect(member.writes).toEqual([]);
  });

  it('may begin with a byte order mark', async () => {
    const member = new Member(() => bulkAnswer(indexed('1')));
    const got = await member.sender.send({ method: 'POST', path: '/_bulk', body: `\ufeff${ndjson(action('1'))}` });
    expect(idsOf(got)).toEqual([['1', 201]]);
    expect(member.writes).toMatchObject([
      { body: '{"index":{"_index":"crossfade-products-e1","_id":"1"}}\n{"x":1}\n' },
    ]);
  });

  it('counts a version of the wrong kind for the route that refuses it, not for all that the bulk touches', async () => {
    const shops = { slug: 'shops', indices: [{ source: 's1', target: 's2' }], aliases: [] };
    const member = new Member(() => bulkAnswer(indexed('1')), [{}, shops]);
    const versioned = { index: { _index: 's1', _id: '2', version: 3, version_type: 'external' } };
    const got = await send(member, [...action('1'), versioned, { x: 2 }]);
    expect(idsOf(got)).toEqual([
      ['1', 201],
      ['2', 400],
    ]);
    expect(member.events).toEqual([{ kind: 'version_mode_mismatch', slug: 'shops' }]);
  });

  it('sends only what met the fence again, and answers in order', async () => {
    const member = new Member(({ body }) =>
      body.includes('-e1') ? bulkAnswer(indexed('1'), fencedItem('index'), indexed('3')) : bulkAnswer(indexed('2')),
    );
    const answer = send(member, [...action('1'), ...action('2'), ...action('3')]);
    await member.time.settle();
    member.learn({ epoch: 2 });
    const got = await answer;
    expect(idsOf(got)).toEqual([
      ['1', 201],
      ['2', 201],
      ['3', 201],
    ]);
    expect(got.json).toMatchObject({ errors: false, took: 2 });
    expect(member.writes[1]?.body).toBe('{"index":{"_index":"crossfade-products-e2","_id":"2"}}\n{"x":2}\n');
    expect(member.offered.map(({ id, epoch }) => [id, epoch])).toEqual([
      ['1', 1],
      ['3', 1],
      ['2', 2],
    ]);
  });

  it('gives the items up that stay fenced, and keeps what was applied', async () => {
    const member = new Member(() => bulkAnswer(indexed('1'), fencedItem('index')));
    const answer = send(member, [...action('1'), ...action('2')]);
    await member.time.advance(5_001);
    const got = await answer;
    expect(got.status).toBe(200);
    expect(idsOf(got)).toEqual([
      ['1', 201],
      ['2', 503],
    ]);
    expect(got.json).toMatchObject({ errors: true, items: [{}, { index: { error: { type: 'crossfade_fenced' } } }] });
  });

  it('does not claim that nothing was sent when a hold keeps only a part of it back', async () => {
    const member = new Member(() => bulkAnswer(indexed('1'), fencedItem('index')));
    const answer = send(member, [...action('1'), ...action('2')]);
    await member.time.settle();
    member.learn({ epoch: 2, hold: { to: 'target', rehearsal: false, budgetMs: 100, graceMs: 100 } });
    await member.time.advance(201);
    const got = await answer;
    expect(idsOf(got)).toEqual([
      ['1', 201],
      ['2', 503],
    ]);
    expect(got.headers).not.toHaveProperty('x-crossfade-not-sent');
    expect(member.drained()).toBe(true);
  });

  it('is refused safely as a whole when everything stays fenced', async () => {
    for (const fenced of [bulkAnswer(fencedItem('index')), fencedAnswer]) {
      const member = new Member(() => fenced);
      const answer = send(member, action('1'));
      await member.time.advance(5_001);
      expect(await answer).toMatchObject({ status: 503, headers: { 'x-crossfade-not-sent': 'true' } });
    }
  });

  it('is split by authority, and one cluster’s failure is told by its items alone', async () => {
    const member = new Member(
      ({ side }) =>
        side === 'target' ? new CrossfadeError('UPSTREAM_TIMEOUT') : bulkAnswer(indexed('1'), indexed('3')),
      [{}, other],
    );
    const got = await send(member, [
      ...action('1'),
      { delete: { _index: 'm1', _id: '2' } },
      ...action('3', 'unrouted'),
    ]);
    expect(idsOf(got)).toEqual([
      ['1', 201],
      ['2', 504],
      ['3', 201],
    ]);
    expect(got.json).toMatchObject({
      items: [{}, { delete: { _index: 'm1', error: { type: 'crossfade_upstream_timeout' } } }, {}],
    });
    expect(member.unknown).toEqual([true]);
    expect([member.drained(), member.drained('moved')]).toEqual([true, true]);
  });

  it.each([
    ['UPSTREAM_UNREACHABLE', 503, []],
    ['UPSTREAM_RESET', 502, [false]],
  ] as const)('fails as a whole with %s when there is one cluster', async (code, status, unknown) => {
    const member = new Member(() => new CrossfadeError(code));
    expect((await send(member, action('1'))).status).toBe(status);
    expect(member.unknown).toEqual(unknown);
    expect(member.drained()).toBe(true);
  });

  it.each([
    [429, []],
    [400, []],
    [500, [false]],
  ])('passes a whole answer of %i on', async (status, unknown) => {
    const body = { error: { type: 't', reason: 'r' }, status };
    const member = new Member(() => ({ status, body }));
    expect(await send(member, action('1'), '/_bulk?filter_path=took')).toMatchObject({ status, json: body });
    expect(member.unknown).toEqual(unknown);
  });

  it('puts an answer that cannot be read on record and passes it on', async () => {
    const member = new Member(() => ({ body: '{"took":1,"items":[]}' }));
    expect((await send(member, action('1'))).text).toBe('{"took":1,"items":[]}');
    expect([member.unknown, member.sweeps]).toEqual([[false], ['unparsable_answer']]);
  });

  it('reads documents back when a pipeline ran, and tells single writes of it', async () => {
    const doc = { _index: 'products_v1', _id: '1', _seq_no: 7, _primary_term: 1, found: true, _source: { p: 1 } };
    const script: Script = ({ path }) => {
      if (path.includes('_mget')) return { body: { docs: [doc] } };
      return path.includes('_bulk')
        ? { body: { took: 1, ingest_took: 2, errors: false, items: [indexed('1')] } }
        : { body: written() };
    };
    const member = new Member(script);
    await send(member, action('1'));
    await member.time.settle();
    await member.sender.send({ method: 'PUT', path: '/products/_doc/1', body: '{}' });
    await member.time.settle();
    expect(member.offered.map((copy) => copy.op === 'index' && Buffer.from(copy.source).toString())).toEqual([
      '{"p":1}',
      '{"p":1}',
    ]);
    expect(member.seen.some(({ path }) => path.includes('_settings'))).toBe(false);
  });

  it('copies what an update made, and strips it from the answer', async () => {
    const get = { _seq_no: 7, _primary_term: 1, found: true, _source: { made: 1 } };
    const member = new Member(() => bulkAnswer({ update: { ...written(), get, status: 200 } }));
    const got = await send(member, [{ update: { _id: '1' } }, { doc: {} }], '/products/_bulk');
    expect(got.text).not.toContain('made');
    expect(member.offered.map((copy) => copy.op === 'index' && Buffer.from(copy.source).toString())).toEqual([
      '{"made":1}',
    ]);
  });

  it('does not ask for the documents of very many updates but reads them back', async () => {
    const count = 501;
    const item = (id: number) => ({ update: { ...written({ _id: String(id) }), status: 200 } });
    const member = new Member(({ path, body }) => {
      if (!path.includes('_mget')) return bulkAnswer(...Array.from({ length: count }, (_, id) => item(id)));
      const { docs } = JSON.parse(body) as { docs: { _id: string }[] };
      return {
        body: { docs: docs.map(({ _id }) => ({ _id, found: true, _seq_no: 7, _primary_term: 1, _source: {} })) },
      };
    });
    await send(
      member,
      Array.from({ length: count }, (_, id) => [{ update: { _id: String(id) } }, { doc: {} }]).flat(),
      '/products/_bulk',
    );
    await member.time.settle();
    expect(member.writes[0]?.body).not.toContain('_source');
    expect(new Set(member.offered.map(({ id }) => id)).size).toBe(count);
  });

  it('copies what a later write of the same bulk made, because that one is answered too', async () => {
    const update = (seq: number) => ({ update: { ...written({ _seq_no: seq }), status: 200 } });
    const doc = { _id: '1', found: true, _seq_no: 8, _primary_term: 1, _source: { last: 1 } };
    const member = new Member(({ path }) =>
      path.includes('_mget') ? { body: { docs: [doc, doc] } } : bulkAnswer(update(7), update(8)),
    );
    await send(
      member,
      [1, 2].flatMap(() => [{ update: { _id: '1' } }, { doc: {} }]),
      '/products/_bulk',
    );
    await member.time.settle();
    expect([member.offered.length, member.left]).toEqual([2, []]);
  });

  it('asks for smaller pages when read-back documents are too large for one', async () => {
    const member = new Member(({ path, body }) => {
      if (!path.includes('_mget'))
        return { body: { took: 1, ingest_took: 0, errors: false, items: [indexed('1'), indexed('2'), indexed('3')] } };
      const { docs } = JSON.parse(body) as { docs: { _id: string }[] };
      if (docs.length > 1) return new CrossfadeError('UPSTREAM_BODY_TOO_LARGE');
      return {
        body: { docs: docs.map(({ _id }) => ({ _id, found: true, _seq_no: 7, _primary_term: 1, _source: {} })) },
      };
    });
    await send(member, [...action('1'), ...action('2'), ...action('3')]);
    await member.time.settle();
    expect(member.offered.map(({ id }) => id)).toEqual(['1', '2', '3']);
  });

  it.each<[string, unknown[], number]>([
    ['to both clusters', [...action('1'), ...action('2', 'm1')], 400],
    [
      'beside actions that Crossfade refuses itself',
      [{ index: { _index: 'products_v1', require_alias: true } }, {}, ...action('2')],
      400,
    ],
    [
      'to one cluster, while the other one carried its part out',
      [...action('1', 'unrouted'), ...action('2', 'm1')],
      200,
    ],
  ])('that is refused as a whole is answered so: %s', async (_, lines, status) => {
    const refused = {
      status: 400,
      body: { error: { type: 'illegal_argument_exception', reason: 'timeout' }, status: 400 },
    };
    const member = new Member(
      ({ body }) => (body.includes('unrouted') ? bulkAnswer(indexed('1')) : refused),
      [{}, other],
    );
    const got = await send(member, lines, '/_bulk?timeout=1');
    expect(got.status).toBe(status);
    if (status === 400) expect(got.json).toEqual(refused.body);
    else
      expect(idsOf(got)).toEqual([
        ['1', 201],
        ['2', 400],
      ]);
    expect(member.offered).toEqual([]);
  });

  it('that touches no route is sent as it came', async () => {
    const member = new Member(() => ({ body: 'whatever the source says' }));
    const lines = '{"index":{"_index":"x"}}\r\n{}\r\n';
    const got = await member.sender.send({ method: 'POST', path: '/_bulk?filter_path=took', body: lines });
    expect(got.text).toBe('whatever the source says');
    expect(member.seen).toEqual([{ side: 'source', method: 'POST', path: '/_bulk?filter_path=took', body: lines }]);
  });

  it.each([
    ['{"index":{"_index":"products"}}\n{}\nrubbish\n', '\n\nrubbish\nx'],
    ['{"delete":{"_index":"products","_id":"1"}}', 'x'],
  ])('that is malformed is sent so that it can only be refused: %j', async (body, expected) => {
    const member = new Member(() => ({ status: 400, body: { error: {}, status: 400 } }));
    expect((await member.sender.send({ method: 'POST', path: '/_bulk', body })).status).toBe(400);
    expect(member.seen.map((seen) => seen.body)).toEqual([expected]);
  });

  it.each([
    [{ 'content-type': 'application/smile' }, 400],
    [{ 'content-type': 'application/json', accept: 'application/yaml' }, 400],
  ])('in a format that cannot be carried is refused: %j', async (headers, status) => {
    const member = new Member(() => undefined);
    const got = await member.sender.send({ method: 'POST', path: '/_bulk', body: ndjson(action('1')), headers });
    expect(got).toMatchObject({ status, headers: { 'x-crossfade-error': 'UNSUPPORTED' } });
    expect(member.seen).toEqual([]);
  });

  it('under a hold of one of its routes begins nothing', async () => {
    const member = new Member(() => bulkAnswer(indexed('1')), [{}, other]);
    member.learn({ hold: { to: 'dual', rehearsal: true, budgetMs: 10, graceMs: 10 } }, 'products');
    const answer = send(member, [...action('1'), { delete: { _index: 'm1', _id: '2' } }]);
    await member.time.advance(25);
    expect(await answer).toMatchObject({ status: 503, headers: { 'x-crossfade-error': 'HOLD_TIMEOUT' } });
    expect([member.seen, member.drained('moved')]).toEqual([[], true]);
  });
});
