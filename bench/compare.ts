/**
 * CPU time of one comparison: two answers with 10 hits (3 KB each), and with 100 hits and five aggregations. The answers
 * are equal but for what always differs between clusters (took, shard counts, index name, scores' last digits), so that
 * no shortcut for equal bytes applies; a second row shows the shortcut, a third a page full of differences.
 * `node bench/compare.ts [--check]`: with --check, exit 1 when a budget is exceeded.
 */
import { compareAnswers } from '../src/compare/compare.ts';
import { rulesFrom } from '../src/compare/rules.ts';
import type { Answer, ComparedRequest } from '../src/compare/types.ts';
import { catalog } from '../test/fixtures/compare/catalog.ts';
import { type Report, table } from './lib/report.ts';

type Side = {
  index: string;
  took: number;
  shards: number;
  nudge: number;
  edit?: (source: Record<string, unknown>, i: number) => Record<string, unknown>;
};

const small = ({
  sku,
  title,
  category,
  brand,
  price,
  stock,
  created,
  active,
  tags,
  location,
  rating,
}: Record<string, unknown>) => ({
  sku,
  title,
  category,
  brand,
  price,
  stock,
  created,
  active,
  tags,
  location,
  rating,
});

const buckets = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ key: `brand-${i}`, doc_count: 500 - i, mean: { value: 10.5 + i } }));
const aggregations = {
  brands: { doc_count_error_upper_bound: 0, sum_other_doc_count: 90, buckets: buckets(20) },
  months: {
    buckets: Array.from({ length: 12 }, (_, i) => ({
      key: i * 2_678_400_000,
      key_as_string: `2024-${i + 1}`,
      doc_count: 90 + i,
      sales: { value: 7.25 * i },
    })),
  },
  bands: {
    buckets: [
      { key: '*-50', to: 50, doc_count: 3 },
      { key: '50-*', from: 50, doc_count: 9 },
    ],
  },
  prices: { values: { '1.0': 1, '25.0': 20, '50.0': 44, '75.0': 80, '99.0': 199 } },
  skus: { value: 5000 },
};
const aggs = {
  brands: { terms: { field: 'brand', size: 20 }, aggs: { mean: { avg: { field: 'price' } } } },
  months: {
    date_histogram: { field: 'created', calendar_interval: 'month' },
    aggs: { sales: { sum: { field: 'price' } } },
  },
  bands: { range: { field: 'price', ranges: [{ to: 50 }, { from: 50 }] } },
  prices: { percentiles: { field: 'price' } },
  skus: { cardinality: { field: 'sku' } },
};

const answer = (
  hits: number,
  withAggregations: boolean,
  { index, took, shards, nudge, edit = (source) => source }: Side,
): Answer => {
  const body = {
    took,
    timed_out: false,
    _shards: { total: shards, successful: shards, skipped: 0, failed: 0 },
    hits: {
      total: { value: 4321, relation: 'eq' },
      max_score: 9 * nudge,
      hits: catalog(hits).map(({ id, source }, i) => ({
        _index: index,
        _id: id,
        _score: (9 - i / 20) * nudge,
        _source: edit(small(source), i),
      })),
    },
    ...(withAggregations && { aggregations }),
  };
  return { status: 200, body: Buffer.from(JSON.stringify(body)) };
};

const request = (size: number, withAggregations: boolean): ComparedRequest => ({
  method: 'POST',
  path: '/shop/_search',
  query: '',
  body: Buffer.from(
    JSON.stringify({ size, query: { match: { title: 'red hat' } }, ...(withAggregations && { aggs }) }),
  ),
});

const rules = rulesFrom(undefined);
const renameIndex = (name: string) => (name === 'shop-v2' ? 'shop' : name);

/** Median over rounds of the CPU microseconds of one call. */
const cpuMicros = (call: () => void, { calls, rounds }: { calls: number; rounds: number }): number => {
  const round = () => {
    const before = process.cpuUsage();
    for (let i = 0; i < calls; i++) call();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / calls;
  };
  for (let i = 0; i < 3; i++) round();
  return Array.from({ length: rounds }, round).sort((a, b) => a - b)[Math.floor(rounds / 2)]!;
};

const source: Side = { index: 'shop', took: 3, shards: 1, nudge: 1 };
const target: Side = { index: 'shop-v2', took: 11, shards: 5, nudge: 1.000001 };
const worst: Side = { ...target, edit: (document, i) => (i % 2 === 0 ? { ...document, price: -1 } : document) };

type Case = { name: string; hits: number; aggregations: boolean; other: Side; budgetMicros: number | undefined };
const cases: Case[] = [
  { name: '10 hits', hits: 10, aggregations: false, other: target, budgetMicros: 60 },
  { name: '10 hits, same bytes', hits: 10, aggregations: false, other: { ...source, took: 7 }, budgetMicros: 60 },
  { name: '10 hits, half of them different', hits: 10, aggregations: false, other: worst, budgetMicros: undefined },
  { name: '100 hits and 5 aggregations', hits: 100, aggregations: true, other: target, budgetMicros: 1000 },
  {
    name: '100 hits and 5 aggregations, half of them different',
    hits: 100,
    aggregations: true,
    other: worst,
    budgetMicros: undefined,
  },
];

const measure = ({ name, hits, aggregations: withAggregations, other, budgetMicros }: Case) => {
  const sides = { authority: answer(hits, withAggregations, source), other: answer(hits, withAggregations, other) };
  const asked = request(hits, withAggregations);
  const call = () => compareAnswers({ api: 'search', request: asked, ...sides, renameIndex, rules });
  const { severity } = call();
  const micros = cpuMicros(call, { calls: hits > 10 ? 500 : 5000, rounds: 15 });
  return { name, bytes: sides.authority.body.length, severity, micros, budgetMicros };
};

/** Ratios are CPU time over budget: below 1 is within it. */
export const benchCompare = async (): Promise<Report> => {
  const results = cases.map(measure);
  const rows = results.map(({ name, bytes, severity, micros, budgetMicros }) => ({
    answers: name,
    bytes: String(bytes),
    severity,
    'CPU µs': micros.toFixed(1),
    'budget µs': budgetMicros === undefined ? '-' : String(budgetMicros),
  }));
  process.stdout.write(`${table(rows)}\n`);
  const budgeted = results.flatMap(({ name, micros, budgetMicros }) =>
    budgetMicros === undefined ? [] : [[name, Number((micros / budgetMicros).toFixed(3))] as const],
  );
  return { name: 'compare', rows, ratios: Object.fromEntries(budgeted) };
};

if (import.meta.main) {
  const { ratios } = await benchCompare();
  if (process.argv.includes('--check') && Object.values(ratios).some((ratio) => ratio > 1)) process.exitCode = 1;
}
