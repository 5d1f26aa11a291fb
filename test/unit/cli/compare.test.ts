import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Profile } from '../../../src/compare/profile.ts';
import { harness } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-compare-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const file = (content: unknown, name = `${++files}.json`): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
const answer = (hits: Record<string, unknown>[], total = hits.length) => ({
  took: 1,
  timed_out: false,
  _shards: { total: 1, successful: 1, skipped: 0, failed: 0 },
  hits: { total: { value: total, relation: 'eq' }, max_score: null, hits },
});
const hit = (id: string, price: number, index = 'products', sort = [price]) => ({
  _index: index,
  _id: id,
  _score: null,
  _source: { price },
  sort,
});
const two = answer([hit('1', 5), hit('2', 6)]);
const { run } = harness();
const compare = (a: unknown, b: unknown, more = '') => run(`compare ${file(a)} ${file(b)} ${more}`.trim());

describe('crossfade compare', () => {
  it('says equal and ends well for answers that differ in what is local to a cluster', async () => {
    expect(await compare(two, { ...two, took: 99 })).toMatchObject({ exit: 0, out: 'equal\n' });
  });

  it('says what differs, where, how badly and why, and ends with the code of a check that found something', async () => {
    const other = answer([hit('1', 5), { ...hit('2', 6), _source: { price: 7 } }]);
    const { exit, out } = await compare(two, other);
    expect(exit).toBe(11);
    expect(out).toMatch(/^S7: another content of documents\n/);
    expect(out).toMatch(/S7 +value +hits\.hits\.2\._source\.price +6 +7/);
    expect(out).toContain('value: the values differ');
  });

  it('prints JSON with the reason at each difference', async () => {
    const ran = await compare(two, answer([hit('1', 5)], 2), '--json');
    expect(ran.json()).toMatchObject({
      api: 'search',
      severity: 'S4',
      differences: [{ kind: 'missing_hit', path: 'hits.hits.2', why: expect.stringContaining('lacks this hit') }],
    });
  });

  it('takes what is no answer to a search for the document itself', async () => {
    const { exit, out } = await compare({ sku: 'a', price: 5 }, { sku: 'a', price: 6 });
    expect(exit).toBe(11);
    expect(out).toMatch(/S7 +value +_source\.price +5 +6/);
    const told = await compare({ count: 5 }, { count: 6 }, '--path /products/_source/1');
    expect(told.out).toMatch(/S7 +value +_source\.count +5 +6/);
  });

  it.each(['yaml', 'route'])('applies a profile and says which of its rules changed something (%s)', async (form) => {
    const other = answer([hit('1', 5), { ...hit('2', 6), _source: { price: 7 } }]);
    const profile = { tolerance: [{ path: '_source.price', relative: 0.5 }], ignore: ['_source.never'] };
    const path = file(form === 'yaml' ? profile : { route: 'products', shadow: { profile } }, `p-${form}.yaml`);
    const { exit, out } = await compare(two, other, `--profile ${path}`);
    expect(exit).toBe(0);
    expect(out).toBe('equal\n\nchanged by the profile\n  tolerance _source.price: 1 times\n');
  });

  it.each([
    ['nothing of contents where it transforms documents', {}, 0],
    ['what its profile leaves of them', { ignore: ['_source.never'] }, 11],
  ])('compares as the route of a file does: %s', async (_, profile, code) => {
    const other = answer([hit('1', 5), { ...hit('2', 6), _source: { price: 7 } }]);
    const path = file({ route: 'products', transform: './t.mjs', shadow: { profile } }, 'transformed.yaml');
    expect((await compare(two, other, `--profile ${path}`)).exit).toBe(code);
  });

  it('matches hits by a business key where ids differ on purpose', async () => {
    const named = (id: string, sku: string) => ({ ...hit(id, 5), _source: { sku } });
    const path = file('match: { by: field, field: sku }', 'key.yaml');
    const sides = [answer([named('a', 'x')]), answer([named('b', 'x')])] as const;
    expect((await compare(...sides, `--profile ${path}`)).exit).toBe(0);
    expect((await compare(...sides)).exit).toBe(11);
  });

  it('knows from the request what the order means, and index names by their shared one', async () => {
    const turned = answer([hit('2', 6, 'products_v2'), hit('1', 5, 'products_v2')]);
    const request = file({ sort: [{ price: 'asc' }], size: 2 });
    const options = `--request ${request} --path /products/_search?size=2 --rename products_v2=products`;
    expect((await compare(two, turned, options)).out).toMatch(/S5 +order/);
    expect(
      (await compare(two, answer(two.hits.hits.map((one) => ({ ...one, _index: 'products_v2' }))), options)).exit,
    ).toBe(0);
  });

  it('ends well for what never counts, and shows it', async () => {
    const marked = (text: string) => answer([{ ...hit('1', 5), highlight: { name: [text] } }]);
    expect(await compare(marked('<em>a</em>'), marked('<b>a</b>'))).toMatchObject({
      exit: 0,
      out: expect.stringMatching(/^S9: cosmetic/),
    });
  });

  it('refuses to judge when the authority failed', async () => {
    const failed = { error: { type: 'x', reason: 'y' }, status: 503 };
    expect(await compare(failed, two)).toMatchObject({
      exit: 3,
      out: 'says nothing of the other side: the authority itself failed\n',
    });
  });

  it('reads what discrepancies prints, status and body', async () => {
    const { exit, out } = await compare(
      { status: 200, body: JSON.stringify(two) },
      { status: 404, body: { found: false } },
    );
    expect(exit).toBe(11);
    expect(out).toMatch(/^S1: /);
  });

  it('names each field of a profile that is wrong', async () => {
    const path = file('ignored: [a]\nknn: { recall: 7 }\nignore: ["a..b"]', 'wrong.yaml');
    const { exit, err } = await compare(two, two, `--profile ${path}`);
    expect(exit).toBe(64);
    for (const name of ['ignored', 'knn.recall', 'ignore[0]']) expect(err).toContain(name);
  });

  it.each([
    ['a file that is not there', 'compare nowhere.json nowhere.json', 64],
    ['one file', 'compare one.json', 2],
    ['an API that is not compared', `compare ${file(two)} ${file(two)} --api bulk`, 2],
    ['a rename without a name', `compare ${file(two)} ${file(two)} --rename products`, 2],
    ['a file that is not JSON', `compare ${file('oops')} ${file(two)}`, 64],
  ])('explains %s', async (_, line, exit) => {
    expect(await run(line)).toMatchObject({ exit, err: expect.stringMatching(/^crossfade: /) });
  });

  it('prints the schema of a profile, with every field', async () => {
    const schema = (await run('compare --schema --json')).json() as { properties: object };
    expect(Object.keys(schema.properties)).toEqual(Object.keys(Profile.shape));
  });
});

describe('crossfade apply', () => {
  it('refuses a route whose comparison rules or limits are not valid, and names the field', async () => {
    const path = file(
      {
        route: 'products',
        indices: [{ source: 'a', target: 'b' }],
        shadow: { profile: { knn: { recall: 7 } }, verdict: { alpa: 0.1 } },
      },
      'route.yaml',
    );
    const { exit, err } = await run(`apply -f ${path}`);
    expect(exit).toBe(64);
    expect(err).toContain('shadow.profile.knn.recall');
    expect(err).toContain('alpa');
  });
});
