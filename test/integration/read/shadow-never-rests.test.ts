/**
 * Documents of which each is written again and again, its copy late by up to a third of a second: whenever somebody looks,
 * some copies are on their way. What only aggregations show is found all the same, and nothing else is.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { packStamp } from '../../../src/coordination/stamp.ts';
import { eventually } from '../../support/eventually.ts';
import { useRoute } from './fixture.ts';

const route = useRoute({ shadow: { settleMs: [50, 400, 2000], refreshIntervalMs: 100 } });
const documents = 200;
const colours = ['red', 'green', 'blue', 'white', 'black'];
const anyOf = (count: number): number => Math.floor(Math.random() * count);

const fresh = (n: number) => ({
  ...{ text: `document ${n}`, n, amount: anyOf(1000) / 4 },
  ...{ colour: colours[anyOf(colours.length)], at: 1_700_000_000_000 + anyOf(40) * 86_400_000 },
});
type Written = { _seq_no: number; _primary_term: number };
const versionOf = ({ _seq_no: seq, _primary_term: term }: Written): string =>
  `version=${packStamp('narrow', { reign: 1, term, seq })}&version_type=external`;

const writeOne = async (n: number): Promise<void> => {
  const [method, body] = Math.random() < 0.1 ? ['DELETE', undefined] : ['PUT', fresh(n)];
  const { json } = await route.on('source', method, `/${route.source}/_doc/d${n}`, body);
  await new Promise((resolve) => setTimeout(resolve, 50 + anyOf(250)));
  await route.on('target', method, `/${route.target}/_doc/d${n}?${versionOf(json)}`, body);
};

let isWriting = false;
let writers: Promise<void>[] = [];
const writeOn = async (): Promise<void> => {
  while (isWriting) await writeOne(anyOf(documents));
};
const beginWrites = (): void => {
  isWriting = true;
  writers = Array.from({ length: 4 }, writeOn);
};
afterEach(async () => {
  isWriting = false;
  await Promise.all(writers);
});

/** The target lost the way to count colours: nothing but aggregations over them shows it. */
const mappingOn = (side: 'source' | 'target') => ({
  properties: {
    ...{ amount: { type: 'double' }, at: { type: 'date' } },
    colour: { type: 'text', ...(side === 'source' && { fields: { exact: { type: 'keyword' } } }) },
  },
});
beforeAll(async () => {
  for (const side of ['source', 'target'] as const)
    await route.on(side, 'PUT', `/${route[side]}/_mapping`, mappingOn(side));
  const all = Array.from({ length: documents }, (_, n) => n);
  for (let n = 0; n < documents; n += 20) await Promise.all(all.slice(n, n + 20).map(writeOne));
}, 120_000);

const query = { match: { text: 'document' } };
const amounts = { amounts: { stats: { field: 'amount' } } };
const weeks = { date_histogram: { field: 'at', calendar_interval: 'week' }, aggs: amounts };
const questions = [
  { query, sort: [{ n: 'asc' }], size: 5, aggs: amounts },
  { query, aggs: { amounts: { percentiles: { field: 'amount' } } } },
  { query: { match: { colour: 'red blue' } }, size: 0, aggs: { weeks } },
  { size: 0, aggs: { ranges: { range: { field: 'amount', ranges: [{ to: 50 }, { from: 50 }] }, aggs: { weeks } } } },
];
const byColour = { query, size: 0, aggs: { colours: { terms: { field: 'colour.exact' } } } };

const counts = () => route.stack.shadow.counts(route.slug);
const ask = async (body: object): Promise<void> => {
  await route.send('POST', `/${route.slug}/_search`, { body });
  // Refreshes for the sake of another sample would show further documents.
  await eventually(() => counts().underWay === 0, { timeoutMs: 60_000, everyMs: 20, what: 'the sample settled' });
};
/** Scores and cosmetics apart. */
const severities = () =>
  route.stack.reports.map(({ observation }) => observation.severity).filter((severity) => severity < 'S8');

describe('while every document is written again and again', () => {
  it('what differs only by copies on their way is no mismatch, and most samples are judged', async () => {
    route.set({ percent: { shadow: 100 }, spec: { shadow: { baselinePercent: 20 } } });
    beginWrites();
    for (const body of questions) await ask(body);
    expect(severities()).toEqual([]);
    expect(counts().compared).toBeGreaterThanOrEqual(2);
  }, 300_000);

  it('a fault that only aggregations show is found within a few samples', async () => {
    route.set({ percent: { shadow: 100 }, spec: { shadow: { baselinePercent: 0 } } });
    beginWrites();
    for (let samples = 0; samples < 6 && severities().length === 0; samples++) await ask(byColour);
    expect(severities()).toEqual(['S6']);
    expect(route.stack.reports.at(-1)).toMatchObject({ settled: false, authority: 'source' });
  }, 300_000);
});
