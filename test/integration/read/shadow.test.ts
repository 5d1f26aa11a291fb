import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isBalanced } from '../../../src/proxy/shadow/tally.ts';
import { eventually } from '../../support/eventually.ts';
import { useRoute } from './fixture.ts';

const route = useRoute({ shadow: { settleMs: [50, 50], refreshIntervalMs: 0 } });
beforeEach(() => {
  route.stack.reports.length = 0;
});
const set = (change: Parameters<typeof route.set>[0] = {}) =>
  route.set({ percent: { shadow: 100 }, spec: { shadow: { baselinePercent: 0 } }, ...change });
const settled = async (count: number) => {
  await eventually(() => route.stack.reports.length >= count, { what: `${count} comparisons` });
  expect(isBalanced(route.stack.shadow.counts(route.slug))).toBe(true);
};

const reads: [string, string, (r: typeof route) => string, unknown][] = [
  [
    'a search',
    'POST',
    (r) => `/${r.slug}/_search`,
    { query: { match: { text: 'document' } }, sort: ['n'], aggs: { n: { stats: { field: 'n' } } } },
  ],
  ['a search by score', 'POST', (r) => `/${r.slug}/_search`, { query: { match: { text: '7' } } }],
  ['a count', 'GET', (r) => `/${r.slug}/_count`, undefined],
  ['a document', 'GET', (r) => `/${r.slug}/_doc/7`, undefined],
  ['a document that is not there', 'GET', (r) => `/${r.slug}/_doc/nope`, undefined],
  ['documents', 'POST', (r) => `/${r.slug}/_mget`, { ids: ['1', '2', 'nope'] }],
  ['searches', 'POST', (r) => `/${r.slug}/_msearch`, [{}, { size: 3, sort: ['n'] }, { preference: 'p' }, { size: 0 }]],
  ['fields', 'GET', (r) => `/${r.slug}/_field_caps?fields=*`, undefined],
  ['an explanation', 'POST', (r) => `/${r.slug}/_explain/7`, { query: { match: { text: '7' } } }],
  ['term vectors', 'GET', (r) => `/${r.slug}/_termvectors/7?fields=text`, undefined],
  ['a wrong query', 'POST', (r) => `/${r.slug}/_search`, { query: { nonsense: {} } }],
];

describe('reads of equal data agree on both sides', () => {
  it.each(reads)('%s, served by the source', async (_title, method, path, body) => {
    set();
    await route.send(method, path(route), { body });
    await settled(1);
    expect(route.stack.reports[0]).toMatchObject({ authority: 'source', observation: { severity: 'none' } });
  });

  it.each(reads)('%s, served by the target', async (_title, method, path, body) => {
    set({ percent: { read: 100, shadow: 100 } });
    await route.send(method, path(route), { body });
    await settled(1);
    expect(route.stack.reports[0]).toMatchObject({ authority: 'source', observation: { severity: 'none' } });
  });
});

describe('on a route with a transform', () => {
  const transformed = { n: 12, name: 'document 12', exact: 1.5 };
  const use = (profile?: object) =>
    set({
      spec: { transform: '/etc/crossfade/products.mjs', shadow: { baselinePercent: 0, ...(profile && { profile }) } },
    });
  const severity = async (method: string, path: string, body?: unknown) => {
    route.stack.reports.length = 0;
    await route.send(method, `/${route.slug}${path}`, { body });
    await settled(1);
    return route.stack.reports[0]?.observation.severity;
  };
  const search = (n: number) => ({ query: { term: { n } }, fields: ['*'] });
  beforeAll(async () => {
    await route.on('target', 'PUT', `/${route.target}/_doc/12?refresh=true`, transformed);
  });

  it.each([
    ['a search', 'POST', '/_search', search(12)],
    ['searches', 'POST', '/_msearch', [{}, search(12)]],
    ['a document', 'GET', '/_doc/12', undefined],
    ['documents', 'POST', '/_mget', { ids: ['12'] }],
    ['what a document holds', 'GET', '/_source/12', undefined],
  ])('%s is not held against it for what documents hold', async (_title, method, path, body) => {
    use();
    expect(await severity(method, path, body)).toBe('none');
  });

  it('a document that is missing is, and so are the contents that the operator does not ignore', async () => {
    await route.on('target', 'DELETE', `/${route.target}/_doc/13?refresh=true`);
    use();
    expect(await severity('GET', '/_doc/13')).toBe('S4');
    expect(await severity('POST', '/_search', search(13))).toBe('S3');
    use({ ignore: ['_source.name'] });
    expect(await severity('GET', '/_doc/12')).toBe('S7');
    use({ ignore: ['_source.name', '_source.text'] });
    expect(await severity('GET', '/_doc/12')).toBe('none');
  });
});

describe('a difference between the sides', () => {
  it('that a refresh settles is no mismatch', async () => {
    await route.on('source', 'PUT', `/${route.source}/_doc/new?refresh=true`, { n: 500, text: 'novel' });
    await route.on('target', 'PUT', `/${route.target}/_doc/new?version=1&version_type=external`, {
      n: 500,
      text: 'novel',
    });
    set();
    await route.send('POST', `/${route.slug}/_search`, { body: { query: { term: { n: 500 } } } });
    await settled(1);
    expect(route.stack.reports[0]?.observation.severity).toBe('none');
  });

  it('that persists is one, with its documents in the report', async () => {
    await route.on('target', 'PUT', `/${route.target}/_doc/11?refresh=true`, { n: 11, text: 'changed', exact: 2.5 });
    set({ spec: { shadow: { baselinePercent: 100 } } });
    await route.send('POST', `/${route.slug}/_search`, { body: { query: { term: { n: 11 } } } });
    await settled(1);
    const [report] = route.stack.reports;
    expect(report).toMatchObject({ observation: { severity: 'S7' }, baseline: { severity: 'none' }, settled: false });
    expect(report?.answers.target.body.toString()).toContain('changed');
    expect(report?.shape.label).toContain('term(n)');
  });
});
