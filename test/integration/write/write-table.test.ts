import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Phase } from '../../../src/coordination/records.ts';
import { ndjson } from '../../support/ndjson.ts';
import { type Fixture, useRoute } from './fixture.ts';

/** Values that parsing and printing JSON again would change. */
const exotic =
  '{"text":"é \\u0041 \ud83d\ude00","one":1.0,"huge":123456789012345678901234567890,"tiny":1e-7,"e":1E400 , "arr":[ ]}';
const mappings = { properties: { text: { type: 'keyword' }, n: { type: 'long' } }, dynamic: false };

type Row = {
  title: string;
  run(fixture: Fixture, id: string): Promise<void>;
  /** Source text of the document afterwards; undefined = absent. */
  after: string | undefined;
};

const seed = async ({ write, source }: Fixture, id: string, body = '{"n":1,"text":"a"}') => {
  expect((await write('PUT', `/${source}/_doc/${id}`, body)).status).toBe(201);
};

const rows: Row[] = [
  {
    title: 'index with an id',
    run: async ({ write, source }, id) => {
      const got = await write('PUT', `/${source}/_doc/${id}`, exotic);
      expect(got).toMatchObject({ status: 201, json: { _index: source, _id: id, result: 'created' } });
      expect(got.headers['location']).toBe(`/${source}/_doc/${id}`);
    },
    after: exotic,
  },
  {
    title: 'index over several lines with space around it',
    run: async ({ write, source }, id) => {
      await write('PUT', `/${source}/_doc/${id}`, '\n {"n":1,\r\n "text":\n"a"}\n\n');
    },
    after: '{"n":1,   "text": "a"}',
  },
  {
    title: 'create',
    run: async ({ write, source }, id) => {
      expect((await write('PUT', `/${source}/_create/${id}`, '{"n":2}')).status).toBe(201);
      expect((await write('PUT', `/${source}/_create/${id}`, '{"n":3}')).status).toBe(409);
      expect((await write('PUT', `/${source}/_doc/${id}?op_type=create`, '{"n":3}')).status).toBe(409);
    },
    after: '{"n":2}',
  },
  {
    title: 'update with a partial document',
    run: async (fixture, id) => {
      await seed(fixture, id);
      const { write, source } = fixture;
      const got = await write('POST', `/${source}/_update/${id}`, { doc: { n: 5 } });
      expect(got).toMatchObject({ status: 200, json: { result: 'updated' } });
      expect(got.text).not.toContain('"get"');
    },
    after: '{"n":5,"text":"a"}',
  },
  {
    title: 'update that changes nothing',
    run: async (fixture, id) => {
      await seed(fixture, id);
      const { write, source, route } = fixture;
      const copies = route.applied.length;
      const got = await write('POST', `/${source}/_update/${id}`, { doc: { n: 1 } });
      expect(got).toMatchObject({ status: 200, json: { result: 'noop' } });
      expect(route.applied.length).toBe(copies);
    },
    after: '{"n":1,"text":"a"}',
  },
  {
    title: 'update that asks for its source keeps the answer it asked for',
    run: async (fixture, id) => {
      await seed(fixture, id);
      const { write, source } = fixture;
      const filtered = await write('POST', `/${source}/_update/${id}?_source_includes=n`, { doc: { n: 6 } });
      expect(filtered.json).toMatchObject({ get: { _source: { n: 6 } } });
      const inBody = await write('POST', `/${source}/_update/${id}`, { _source: ['text'], doc: { n: 7 } });
      expect(inBody.json).toMatchObject({ get: { _source: { text: 'a' } } });
      const pretty = await write('POST', `/${source}/_update/${id}?pretty`, { doc: { n: 8 } });
      expect(pretty.text).toContain('"result" : "updated"');
    },
    after: '{"n":8,"text":"a"}',
  },
  {
    title: 'upsert and doc_as_upsert',
    run: async ({ write, source }, id) => {
      const upsert = await write('POST', `/${source}/_update/${id}`, '{"doc":{"n":2},"upsert":{"n":1.0}}');
      expect(upsert).toMatchObject({ status: 201, json: { result: 'created' } });
      await write('POST', `/${source}/_update/${id}`, '{"doc":{"text":"z"},"doc_as_upsert":true}');
    },
    after: '{"n":1.0,"text":"z"}',
  },
  {
    title: 'scripted update',
    run: async (fixture, id) => {
      await seed(fixture, id);
      const { write, source } = fixture;
      const script = { source: 'ctx._source.n += params.by', params: { by: 41 } };
      expect((await write('POST', `/${source}/_update/${id}`, { script })).status).toBe(200);
    },
    after: '{"n":42,"text":"a"}',
  },
  {
    title: 'scripted update that deletes',
    run: async (fixture, id) => {
      await seed(fixture, id);
      const { write, source } = fixture;
      const got = await write('POST', `/${source}/_update/${id}`, { script: { source: 'ctx.op = "delete"' } });
      expect(got.json).toMatchObject({ result: 'deleted' });
    },
    after: undefined,
  },
  {
    title: 'update of a missing document fails and copies nothing',
    run: async ({ write, source, route }, id) => {
      const copies = route.applied.length;
      expect((await write('POST', `/${source}/_update/${id}`, { doc: { n: 1 } })).status).toBe(404);
      expect(route.applied.length).toBe(copies);
    },
    after: undefined,
  },
  {
    title: 'delete',
    run: async (fixture, id) => {
      await seed(fixture, id);
      const { write, source } = fixture;
      expect(await write('DELETE', `/${source}/_doc/${id}`)).toMatchObject({
        status: 200,
        json: { result: 'deleted' },
      });
    },
    after: undefined,
  },
  {
    title: 'delete of an absent document is copied, too',
    run: async ({ write, source, route }, id) => {
      expect((await write('DELETE', `/${source}/_doc/${id}`)).status).toBe(404);
      if (route.state.phase.phase === 'dual') expect(route.applied.at(-1)).toMatchObject({ op: 'delete', id });
    },
    after: undefined,
  },
  {
    title: 'write with routing',
    run: async ({ write, source }, id) => {
      await write('PUT', `/${source}/_doc/${id}?routing=a%20b`, '{"n":1}');
      await write('POST', `/${source}/_update/${id}?routing=a%20b`, { doc: { n: 2 } });
    },
    after: '{"n":2}',
  },
  {
    title: 'write through the alias',
    run: async ({ write, slug, source }, id) => {
      const got = await write('PUT', `/${slug}/_doc/${id}?require_alias=true`, '{"n":1}');
      expect(got.json).toMatchObject({ _index: source });
    },
    after: '{"n":1}',
  },
  {
    title: 'compressed body',
    run: async ({ send, source }, id) => {
      const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
      const body = gzipSync('{"n":1.50}');
      expect((await send({ method: 'PUT', path: `/${source}/_doc/${id}`, body, headers })).status).toBe(201);
    },
    after: '{"n":1.50}',
  },
  {
    title: 'filter_path still cuts the answer',
    run: async ({ write, source }, id) => {
      const got = await write('PUT', `/${source}/_doc/${id}?filter_path=result,_shards.failed`, '{"n":1}');
      expect(got.text).toBe('{"result":"created","_shards":{"failed":0}}');
      const update = await write('POST', `/${source}/_update/${id}?filter_path=result`, { doc: { n: 2 } });
      expect(update.text).toBe('{"result":"updated"}');
    },
    after: '{"n":2}',
  },
  {
    title: 'bulk of all actions, with the index in path and lines',
    run: async ({ bulk, source, slug }, id) => {
      const got = await bulk(`/${source}/_bulk`, [
        { index: { _id: id } },
        '{"n":1.0}',
        { create: { _index: slug, _id: `${id}-c` } },
        '{"n":2.0}',
        { create: { _id: `${id}-c` } },
        '{"n":3}',
        { update: { _id: id } },
        '{"doc":{"text":"u"}}',
        { update: { _id: `${id}-no` } },
        '{"doc":{"text":"u"}}',
        { delete: { _id: `${id}-c` } },
        { index: {} },
        '{"text":"auto"}',
        { update: { _id: id, _source: 'text' } },
        '{"doc":{"text":"v"}}',
      ]);
      const { items, errors } = got.json as { errors: boolean; items: Record<string, Record<string, unknown>>[] };
      expect(errors).toBe(true);
      expect(items.map((item) => Object.values(item)[0]?.['status'])).toEqual([201, 201, 409, 200, 404, 200, 201, 200]);
      expect(items.map((item) => Object.values(item)[0]?.['_index'])).toEqual(items.map(() => source));
      expect(items[3]?.['update']).not.toHaveProperty('get');
      expect(items[7]?.['update']).toMatchObject({ get: { _source: { text: 'v' } } });
    },
    after: '{"n":1.0,"text":"v"}',
  },
  {
    title: 'compressed bulk with filter_path and carriage returns',
    run: async ({ send, source }, id) => {
      const lines = ndjson([{ index: { _index: source, _id: id } }, '{"n":7.0}']).replaceAll('\n', '\r\n');
      const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
      const path = '/_bulk?filter_path=errors,items.*._id';
      const got = await send({ method: 'POST', path, body: gzipSync(lines), headers });
      expect(got.text).toBe(`{"errors":false,"items":[{"index":{"_id":"${id}"}}]}`);
    },
    after: '{"n":7.0}',
  },
];

const phases: { phase: Phase; epoch: number; reign: number }[] = [
  { phase: 'observe', epoch: 1, reign: 1 },
  { phase: 'dual', epoch: 1, reign: 1 },
  { phase: 'target', epoch: 2, reign: 2 },
  { phase: 'final', epoch: 2, reign: 2 },
];

/** A document on one line of a bulk has blanks where it had line breaks; nothing else may differ. */
const onOneLine = (documents: Map<string, string>) =>
  [...documents].map(([id, text]) => `${id} ${text.replaceAll(/[\r\n]/g, ' ')}`).sort();

describe.each(phases)('in phase $phase', ({ phase, epoch, reign }) => {
  const fixture = useRoute({ mappings });
  const authority = phase === 'target' || phase === 'final' ? 'target' : 'source';
  let count = 0;
  beforeAll(() => fixture.route.enter(phase, { epoch, reign }));

  it.each(rows)('$title', async ({ run, after }) => {
    const id = `d-${count++}`;
    await run(fixture, id);
    const found = (await fixture.route.documents(authority)).get(id);
    const source = found?.slice(found.indexOf('{')).replaceAll(/[\r\n]/g, ' ');
    expect(source).toBe(after);
  });

  afterAll(async () => {
    const [source, target] = [await fixture.route.documents('source'), await fixture.route.documents('target')];
    if (phase === 'dual' || phase === 'target') expect(onOneLine(target)).toEqual(onOneLine(source));
    else expect((phase === 'observe' ? target : source).size).toBe(0);
    expect(fixture.route.unknown).toEqual([]);
    expect(fixture.route.sweeps).toEqual([]);
  });
});
