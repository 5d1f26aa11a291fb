/**
 * A/A on real clusters: equal documents, laid out differently, must not look different. Prints the share of comparisons
 * that were false mismatches (S0 to S6) per layout, and the verdict, which must never be rollback.
 * `node bench/aa.ts SOURCE_URL TARGET_URL [--queries 10000] [--documents 5000] [--check]`
 */
import { parseArgs } from 'node:util';
import { pathText } from '../src/compare/rules.ts';
import { type CampaignResult, type Differing, mismatches, runCampaign } from '../test/fixtures/compare/campaign.ts';
import { mixedQueries } from '../test/fixtures/compare/queries.ts';
import { drop, layOut, merge } from '../test/fixtures/compare/shop.ts';
import { table } from './lib/report.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    queries: { type: 'string', default: '10000' },
    documents: { type: 'string', default: '5000' },
    check: { type: 'boolean' },
  },
});
const [sourceUrl, targetUrl] = positionals;
if (sourceUrl === undefined || targetUrl === undefined) throw new Error('usage: aa.ts SOURCE_URL TARGET_URL');
const [total, documents] = [Number(values.queries), Number(values.documents)];
const index = 'crossfade-aa';

type Layout = { name: string; shards: number; asRecheck: boolean };
const layouts: Layout[] = [
  { name: '1 shard against 5', shards: 5, asRecheck: false },
  { name: '1 shard against 5, as re-checked', shards: 5, asRecheck: true },
  { name: '1 shard against 1', shards: 1, asRecheck: false },
];
/** Percent of comparisons. */
const maxFalsePercent = 0.1;

const describeMismatch = ({ request, observation }: Differing): string =>
  `${observation.severity} ${request.name}: ${observation.differences
    .slice(0, 3)
    .map((d) => `${d.kind} ${pathText(d.path)} ${d.authority} ${d.other}`)
    .join('; ')}`;

const run = async ({ shards, asRecheck }: Layout, seed: number): Promise<CampaignResult> => {
  await Promise.all([drop(sourceUrl, index), drop(targetUrl, index)]);
  await layOut({ url: sourceUrl, index, shards: 1, documents, seed: 5 });
  await layOut({ url: targetUrl, index, shards, documents, seed, batches: 7 });
  const requests = mixedQueries({ total: Math.ceil(total / layouts.length), documents, seed });
  const half = Math.ceil(requests.length / 2);
  const common = { authorityUrl: sourceUrl, otherUrl: targetUrl, index, baseline: 0.1, asRecheck };
  const first = await runCampaign({ ...common, requests: requests.slice(0, half) });
  await merge(targetUrl, index);
  const second = await runCampaign({ ...common, requests: requests.slice(half) });
  return {
    ...second,
    compared: first.compared + second.compared,
    differing: [...first.differing, ...second.differing],
    outcomes: addUp(first.outcomes, second.outcomes),
    rollbackAfter: first.rollbackAfter ?? second.rollbackAfter,
  };
};

const addUp = (a: Record<string, number>, b: Record<string, number>): Record<string, number> =>
  Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]),
  );

let failed = false;
const rows: Record<string, string>[] = [];
for (const [i, layout] of layouts.entries()) {
  const result = await run(layout, 31 + i);
  const found = mismatches(result);
  const share = (100 * found.length) / result.compared;
  failed ||= share >= maxFalsePercent || result.rollbackAfter !== undefined;
  for (const mismatch of found.slice(0, 10)) process.stdout.write(`${describeMismatch(mismatch)}\n`);
  rows.push({
    layout: layout.name,
    compared: String(result.compared),
    'false S0-S6': `${share.toFixed(3)} %`,
    verdict: result.rollbackAfter === undefined ? result.judgement.verdict : 'rollback',
    outcomes: JSON.stringify(result.outcomes),
  });
}
await Promise.all([drop(sourceUrl, index), drop(targetUrl, index)]);
process.stdout.write(`${table(rows)}\n`);
if (failed && values.check) process.exitCode = 1;
