/**
 * One request of each kind that applications send to an index, through whichever agents there are; each answer is checked
 * at once, and each write told to the recorder, so that the verdict at rest covers it. Documents are of this run alone.
 */
import { expect } from 'vitest';
import type { Change } from './checker.ts';
import type { World } from './world.ts';

export type Dialect = {
  /** The mapping type of the index, for clusters that still read one in paths. */
  type?: string;
};
type Json = Record<string, unknown>;
type Answer = { status: number; body: Json; headers: Headers };
type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>;
type Hits = { total: { value: number } | number; hits: { _id: string }[] };

const lines = (list: readonly unknown[]): string => list.map((line) => `${JSON.stringify(line)}\n`).join('');
const idsOf = ({ body }: Answer): string[] => (body['hits'] as Hits).hits.map(({ _id }) => _id).sort();
const ids = (...values: string[]) => ({ query: { ids: { values } } });
const script = (value: string) => ({ script: { source: 'ctx._source.value = params.v', params: { v: value } } });

export const createAsk =
  ({ members }: World): Ask =>
  async (method, path, body) => {
    const { process } = members[Math.floor(Math.random() * members.length)]!;
    const many = typeof body === 'string';
    const answer = await fetch(`${process.url}${path}`, {
      method,
      signal: AbortSignal.timeout(30_000),
      ...(body === undefined
        ? {}
        : {
            body: many ? body : JSON.stringify(body),
            headers: { 'content-type': many ? 'application/x-ndjson' : 'application/json' },
          }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === '' ? {} : (JSON.parse(text) as Json) };
  };

type Told = { ask: Ask; index: string; wrote(change: Change): void };

const toldOf = (world: World): Told => ({
  ask: createAsk(world),
  index: world.slug,
  wrote: (change) => {
    const { recorder } = world;
    recorder.settle(recorder.begin(change), 'acknowledged', '200');
  },
});
const set = (id: string, value: string | undefined): Change => ({ kind: 'set', id, value });

const singleWrites = async ({ ask, index, wrote }: Told, run: string, path: (rest: string) => string) => {
  const write = async (method: string, at: string, body: unknown, status: number): Promise<Json> => {
    const answer = await ask(method, at, body);
    expect({ method, at, ...answer }).toMatchObject({ status });
    return answer.body;
  };
  await write('PUT', path(`${run}-a`), { value: `${run}-a1` }, 201);
  await write('PUT', path(`${run}-a`), { value: `${run}-a2` }, 200);
  await write('PUT', `/${index}/_create/${run}-b`, { value: `${run}-b1` }, 201);
  await write('PUT', `/${index}/_create/${run}-b`, { value: `${run}-b2` }, 409);
  const { _id: own } = await write('POST', path(''), { value: `${run}-own` }, 201);
  await write('POST', `/${index}/_update/${run}-b`, { doc: { value: `${run}-b3` } }, 200);
  const upsert = { scripted_upsert: true, upsert: {}, ...script(`${run}-c1`) };
  await write('POST', `/${index}/_update/${run}-c`, upsert, 201);
  await write('PUT', path(`${run}-d`), { value: `${run}-d1` }, 201);
  await write('DELETE', path(`${run}-d`), undefined, 200);
  for (const [id, value] of [
    [`${run}-a`, `${run}-a2`],
    [`${run}-b`, `${run}-b3`],
    [own as string, `${run}-own`],
    [`${run}-c`, `${run}-c1`],
    [`${run}-d`, undefined],
  ] as const)
    wrote(set(id, value));
};

const bulkWrites = async ({ ask, index, wrote }: Told, run: string, { type }: Dialect) => {
  const at = (id: string) => ({ _id: `${run}-${id}`, ...(type === undefined ? {} : { _type: type }) });
  const answer = await ask(
    'POST',
    `/${index}/_bulk?refresh=true`,
    lines([
      ...['e', 'f', 'g', 'h'].flatMap((id) => [{ index: at(id) }, { value: `${run}-${id}1` }]),
      { create: at('i') },
      { value: `${run}-i1` },
      { create: at('a') },
      { value: 'never' },
      { update: at('e') },
      { doc: { value: `${run}-e2` } },
      { delete: at('f') },
    ]),
  );
  const items = (answer.body['items'] as Record<string, { status: number }>[]).map((item) => Object.values(item)[0]);
  expect(items.map((item) => item?.status)).toEqual([201, 201, 201, 201, 201, 409, 200, 200]);
  for (const [id, value] of Object.entries({ e: 'e2', g: 'g1', h: 'h1', i: 'i1' }))
    wrote(set(`${run}-${id}`, `${run}-${value}`));
  wrote(set(`${run}-f`, undefined));
};

const queryWrites = async ({ ask, index, wrote }: Told, run: string) => {
  const update = await ask('POST', `/${index}/_update_by_query?refresh=true`, {
    ...ids(`${run}-g`),
    ...script(`${run}-g2`),
  });
  expect(update).toMatchObject({ status: 200, body: { updated: 1, failures: [] } });
  wrote(set(`${run}-g`, `${run}-g2`));
  const remove = await ask('POST', `/${index}/_delete_by_query?refresh=true`, ids(`${run}-h`));
  expect(remove).toMatchObject({ status: 200, body: { deleted: 1, failures: [] } });
  wrote(set(`${run}-h`, undefined));
};

const scrollAll = async ({ ask, index }: Told, query: Json): Promise<string[]> => {
  const found: string[] = [];
  let page = await ask('POST', `/${index}/_search?scroll=1m`, { ...query, size: 2 });
  while (idsOf(page).length > 0) {
    found.push(...idsOf(page));
    page = await ask('POST', '/_search/scroll', { scroll: '1m', scroll_id: page.body['_scroll_id'] });
    expect(page.status).toBe(200);
  }
  expect(await ask('DELETE', '/_search/scroll', { scroll_id: page.body['_scroll_id'] })).toMatchObject({ status: 200 });
  return found.sort();
};

const reads = async (told: Told, run: string, path: (rest: string) => string) => {
  const { ask, index } = told;
  await ask('POST', `/${index}/_refresh`);
  const alive = ['a', 'b', 'c', 'e', 'g', 'i'].map((id) => `${run}-${id}`);
  const query = ids(...['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((id) => `${run}-${id}`));
  expect(await ask('GET', path(`${run}-a`))).toMatchObject({ status: 200, body: { _source: { value: `${run}-a2` } } });
  expect((await ask('GET', path(`${run}-f`))).status).toBe(404);
  const got = await ask('POST', `/${index}/_mget`, { ids: [`${run}-e`, `${run}-d`] });
  expect(got.body['docs']).toMatchObject([{ found: true, _source: { value: `${run}-e2` } }, { found: false }]);
  expect(idsOf(await ask('POST', `/${index}/_search`, query))).toEqual(alive);
  expect(await ask('POST', `/${index}/_count`, query)).toMatchObject({ status: 200, body: { count: alive.length } });
  const several = await ask('POST', '/_msearch', lines([{ index }, query, { index }, ids(`${run}-d`)]));
  const counts = (several.body['responses'] as { hits: Hits }[]).map(({ hits }) => hits.hits.length);
  expect(counts).toEqual([alive.length, 0]);
  const asInt = await ask('POST', `/${index}/_search?rest_total_hits_as_int=true&track_total_hits=true`, query);
  expect((asInt.body['hits'] as Hits).total).toBe(alive.length);
  expect(await scrollAll(told, query)).toEqual(alive);
};

/** `run` is a name that no other call uses. */
export const useIndex = async (world: World, run: string, dialect: Dialect = {}): Promise<void> => {
  const told = toldOf(world);
  const path = (rest: string): string => `/${world.slug}/${dialect.type ?? '_doc'}/${rest}`.replace(/\/$/, '');
  await singleWrites(told, run, path);
  await bulkWrites(told, run, dialect);
  await queryWrites(told, run);
  await reads(told, run, path);
};
