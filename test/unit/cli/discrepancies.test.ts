import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SampleRecord } from '../../../src/compare/sample-record.ts';
import type { SampleStream } from '../../../src/coordination/ports.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type Harness, harness } from './harness.ts';

const body = (name: string) => JSON.stringify({ hits: { hits: [{ _id: '#1', _source: { name } }] } });
const sample = (id: string, atMs: number, more: Partial<SampleRecord> = {}): SampleRecord => ({
  schema: 1,
  id,
  at: new Date(atMs).toISOString(),
  atMs,
  member: 'pod-1',
  route: 'products',
  severity: 'S7',
  family: 'search',
  shape: 'abc',
  shapeLabel: 'search products match(name)',
  authority: 'source',
  summary: 'value',
  settled: false,
  request: { method: 'POST', path: '/products/_search', query: 'size=5', body: '{"query":{"match":{"name":"#q"}}}' },
  differences: [
    {
      severity: 'S7',
      kind: 'value',
      path: ['hits', 'hits', { key: '#1' }, '_source', 'name'],
      authority: '#a',
      other: '#b',
    },
  ],
  answers: { source: { status: 200, body: body('#a') }, target: { status: 200, body: body('#b') } },
  authorityMs: 3,
  otherMs: 4,
  replayable: true,
  ...more,
});

/** An agent's admin listener: what it is asked, and what it answers by path. */
let answers: Record<string, { status: number; json: unknown }>;
let asked: string[];
const agent = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  const { status, json } = answers[request.url ?? ''] ?? {
    status: 404,
    json: { error: { reason: 'This member keeps no such discrepancy.' } },
  };
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
});
beforeAll(() => new Promise<void>((resolve) => agent.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise((resolve) => agent.close(resolve)));

class StreamingStore extends MemoryStore {
  samples?: SampleStream;
}
let store: StreamingStore;
let cli: Harness;
const run = (line: string) =>
  cli.run(line, { env: { CROSSFADE_ADMIN_URL: `http://127.0.0.1:${(agent.address() as AddressInfo).port}` } });
const apply = (samples: object) =>
  store.config.put(
    keys.config('products'),
    JSON.stringify(
      RouteSpec.parse({ route: 'products', indices: [{ source: 'a', target: 'b' }], shadow: { samples } }),
    ),
  );

beforeEach(async () => {
  answers = {};
  asked = [];
  store = new StreamingStore();
  cli = harness(store);
  await apply({});
});

describe('crossfade discrepancies', () => {
  it('lists what the agents keep, newest first, filtered by them', async () => {
    answers['/api/routes/products/discrepancies?severity=S7'] = {
      status: 200,
      json: { discrepancies: [sample('aaaaaaaa', 1000), sample('bbbbbbbb', 2000), { odd: true }] },
    };
    const { exit, out, err } = await run('discrepancies products --severity S7');
    expect(exit).toBe(0);
    expect(out.split('\n').map((line) => line.slice(0, 8))).toEqual(['id      ', 'bbbbbbbb', 'aaaaaaaa', '']);
    expect(err).toContain('next: crossfade discrepancies show bbbbbbbb');
  });

  it('takes a severity that does not exist for a slip, and no answer for "there is none"', async () => {
    expect(await run('discrepancies products --severity S11')).toMatchObject({ exit: 2, out: '' });
    expect(await run('discrepancies products --severity S4,S7')).toMatchObject({ exit: 2 });
    answers['/api/routes/products/discrepancies?severity=S7'] = { status: 200, json: { discrepancies: [] } };
    expect(await run('discrepancies products --severity s7')).toMatchObject({ exit: 0 });
  });

  it('needs nothing but the store where samples are in a stream, and asks the agents only when told to', async () => {
    await apply({ stream: true });
    const kinds: unknown[] = [];
    store.samples = {
      add: async () => undefined,
      list: async (kind) => {
        kinds.push(kind);
        return [JSON.stringify(sample('cccccccc', 3000, { member: 'pod-9' })), 'oops'];
      },
    };
    const listed = (await run('discrepancies products --shape abc --json')).json();
    expect(listed).toMatchObject({ discrepancies: [{ id: 'cccccccc', member: 'pod-9' }] });
    expect((await run('discrepancies show cccccccc')).out).toContain('pod-9');
    expect(kinds).toEqual([{ slug: 'products', shape: 'abc' }, { slug: 'products' }]);
    expect(asked).toEqual([]);
    answers['/api/routes/products/discrepancies'] = { status: 200, json: { discrepancies: [] } };
    expect((await run('discrepancies products --pods')).out).toBe('no discrepancy of products is kept\n');
  });

  it('shows one: request, differences with their reasons, both answers side by side, and curl on demand', async () => {
    answers['/api/discrepancies/aaaaaaaa'] = { status: 200, json: { discrepancy: sample('aaaaaaaa', 1000) } };
    const { exit, out, err } = await run('discrepancies show aaaaaaaa --curl');
    expect(exit).toBe(0);
    expect(out).toMatch(/^aaaaaaaa {2}products {2}S7: another content of documents/);
    expect(out).toMatch(/S7 +value +hits\.hits\.#1\._source\.name +#a +#b +the values differ/);
    expect(out).toMatch(/\nhits\.hits\.#1\._source\.name +"#a" +"#b"\n/);
    expect(out).toMatch(/curl -sS --globoff -X POST "\$SOURCE_URL"'\/products\/_search\?size=5' -H/);
    expect(out).toContain('"$TARGET_URL"');
    expect(err).toContain('next: crossfade discrepancies replay aaaaaaaa');
  });

  it('says so when nobody keeps it any more', async () => {
    expect(await run('discrepancies show 00000000')).toMatchObject({
      exit: 3,
      err: expect.stringContaining('may have given way to newer ones'),
    });
    expect(await run('discrepancies replay 00000000')).toMatchObject({
      exit: 3,
      err: expect.stringContaining('only the one that found it can replay it'),
    });
  });

  it.each(['discrepancies show aaaaaaaa', 'discrepancies replay aaaaaaaa'])(
    'does not take an agent that refuses or is not there for one that keeps nothing: %s',
    async (line) => {
      for (const path of ['/api/discrepancies/aaaaaaaa', '/api/discrepancies/aaaaaaaa/replay'])
        answers[path] = { status: 401, json: { error: { reason: 'The admin API needs a token.' } } };
      expect(await run(line)).toMatchObject({ exit: 12, err: expect.stringContaining('answered 401: The admin API') });
      const away = await cli.run(line, { env: { CROSSFADE_ADMIN_URL: 'http://127.0.0.1:1' } });
      expect(away).toMatchObject({ exit: 12, err: expect.stringContaining('http://127.0.0.1:1 cannot be reached') });
    },
  );

  const replay = (json: object, status = 200) => {
    answers['/api/discrepancies/aaaaaaaa/replay'] = { status, json };
    return run('discrepancies replay aaaaaaaa');
  };

  it.each<[string, object, number, RegExp]>([
    ['gone', { severity: 'none', differences: [] }, 0, /equal now/],
    ['still there', { ...sample('x', 1), severity: 'S7' }, 11, /still S7, another content of documents/],
    ['not to be judged', { severity: 'none', differences: [], skipped: 'unstable' }, 3, /nothing could be compared/],
  ])('replays one at the agent that found it: %s', async (_, replayed, exit, text) => {
    const ran = await replay({ replay: { ...replayed, id: 'aaaaaaaa' } });
    expect(ran.exit).toBe(exit);
    expect(ran.out).toMatch(text);
    expect(asked).toEqual(['POST /api/discrepancies/aaaaaaaa/replay']);
  });

  it('passes on why an agent refuses a replay', async () => {
    const ran = await replay({ error: { reason: 'Only hashes of the request were kept.' } }, 409);
    expect(ran).toMatchObject({ exit: 3, err: expect.stringContaining('Only hashes of the request were kept.') });
  });
});
