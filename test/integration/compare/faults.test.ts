import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Severity } from '../../../src/compare/types.ts';
import { type CampaignResult, runCampaign } from '../../fixtures/compare/campaign.ts';
import { catalog, mappings } from '../../fixtures/compare/catalog.ts';
import { mixedQueries } from '../../fixtures/compare/queries.ts';
import { drop, type Layout, layOut, writeAll } from '../../fixtures/compare/shop.ts';
import { services, uniqueName } from '../../support/services.ts';

const documents = 600;
const index = uniqueName('compare-faults');
let urls: { sourceUrl: string; targetUrl: string };

beforeAll(async () => {
  urls = await services();
  await layOut({ url: urls.sourceUrl, index, shards: 1, documents });
}, 120_000);
afterEach(() => drop(urls.targetUrl, index));
afterAll(() => drop(urls.sourceUrl, index));

/** How many comparisons each fault took, and what named it: printed at the end. */
const took: { fault: string; comparisons: number | undefined; reason: string; shape: string | undefined }[] = [];
const keep = (fault: string, { rollbackAfter, slowerAfter, judgement }: CampaignResult): void => {
  const isSlower = rollbackAfter === undefined && judgement.latency.isSlower;
  const reason = isSlower ? judgement.latency.reason : judgement.reason;
  took.push({ fault, comparisons: rollbackAfter ?? slowerAfter, reason, shape: judgement.shapes[0]?.label });
};
const lineOf = ({ fault, comparisons, reason, shape }: (typeof took)[number]): string =>
  `${String(comparisons ?? 'not').padStart(5)} comparisons  ${fault.padEnd(42)}  ${reason}; most suspicious: ${shape}`;
afterAll(() => void process.stdout.write(`\n${took.map(lineOf).join('\n')}\n`));

const target = (more: Partial<Layout> = {}): Promise<void> =>
  layOut({ url: urls.targetUrl, index, shards: 1, documents, ...more });

const campaign = (more: { delayMs?: (ms: number) => number } = {}): Promise<CampaignResult> =>
  runCampaign({
    authorityUrl: urls.sourceUrl,
    otherUrl: urls.targetUrl,
    index,
    requests: mixedQueries({ total: 672, documents, seed: 8 }),
    baseline: 0.5,
    stopAtRollback: true,
    ...more,
  });

const withMapping = (properties: object) => ({ properties: { ...mappings.properties, ...properties } });
const names = ({ differing }: CampaignResult, severity: Severity): string[] =>
  differing.filter(({ observation }) => observation.severity === severity).map(({ request }) => request.name);

type Fault = {
  fault: string;
  prepare: () => Promise<void>;
  /** Severities of which one must name the verdict. */
  severities: Severity[];
  /** Kinds of queries among which the fault must show, and the severity there. */
  shows: { in: string; as: Severity };
  /** What the shape with the strongest evidence against it must mention. */
  suspect?: RegExp;
  /** Comparisons within which it must be found; the baseline alone takes about 200 here. */
  within: number;
};

const faults: Fault[] = [
  {
    fault: '0.5 % of the documents are missing',
    within: 300,
    prepare: () => target({ products: (all) => all.filter((_, i) => i % 200 !== 7) }),
    severities: ['S3', 'S6'],
    shows: { in: 'by_stock_ties', as: 'S3' },
  },
  {
    fault: 'the analyzer of a field was dropped',
    within: 300,
    prepare: () =>
      target({
        mappings: withMapping({
          title: { type: 'text', analyzer: 'keyword', fields: mappings.properties.title.fields },
        }),
      }),
    severities: ['S3'],
    shows: { in: 'match', as: 'S3' },
    // The queries over several fields search the title too.
    suspect: /title|multi_match/,
  },
  {
    fault: 'a number was mapped as a keyword',
    within: 120,
    prepare: () => target({ mappings: withMapping({ price: { type: 'keyword' } }) }),
    severities: ['S0', 'S1', 'S3', 'S4', 'S5', 'S6', 'S7'],
    shows: { in: 'histogram', as: 'S1' },
    suspect: /price|agg:/,
  },
  {
    fault: 'a tenth of the documents are stale',
    within: 300,
    prepare: async () => {
      await target();
      const stale = catalog(documents).filter((_, i) => i % 10 === 0);
      await writeAll(
        urls.targetUrl,
        index,
        stale.map(({ id, source }) => ({ id, source: { ...source, rating: 0.5 } })),
      );
    },
    severities: ['S6', 'S7'],
    shows: { in: 'by_price', as: 'S7' },
  },
  {
    fault: 'two fields were swapped',
    within: 300,
    prepare: () =>
      target({
        products: (all) =>
          all.map(({ id, source }) => ({
            id,
            source: { ...source, title: source['description'], description: source['title'] },
          })),
      }),
    severities: ['S3', 'S7'],
    shows: { in: 'by_price', as: 'S7' },
  },
];

describe('a fault on the other side is detected and named', () => {
  it.each(faults)(
    '$fault',
    async ({ fault, prepare, severities, shows, suspect, within }) => {
      await prepare();
      const result = await campaign();
      keep(fault, result);
      expect(result.rollbackAfter, JSON.stringify(result.outcomes)).toBeLessThanOrEqual(within);
      expect(result.judgement.verdict).toBe('rollback');
      expect(severities).toContain(result.judgement.reason.slice(0, 2));
      expect(names(result, shows.as)).toContain(shows.in);
      if (suspect) expect(result.judgement.shapes[0]?.label).toMatch(suspect);
    },
    300_000,
  );

  it('a missing index is refused at once', async () => {
    const result = await campaign();
    keep('a missing index', result);
    expect(result.rollbackAfter).toBeLessThanOrEqual(40);
    expect(result.judgement.reason).toMatch(/^S1 in 100.00 %/);
  }, 120_000);

  it('a lost shard makes answers partial', async () => {
    await target({ shards: 5, settings: { 'index.routing.allocation.total_shards_per_node': 4 }, lacksShards: true });
    const result = await campaign();
    keep('a lost shard', result);
    expect(result.rollbackAfter).toBeLessThanOrEqual(40);
    expect(result.outcomes['S2']).toBeGreaterThan(10);
    expect(result.judgement.severities.find(({ severity }) => severity === 'S2')?.isBeyond).toBe(true);
  }, 300_000);

  it('a slower cluster is called slower, and bars promote without a rollback', async () => {
    await target();
    const result = await campaign({ delayMs: (ms) => 2 * ms + 20 });
    keep('a slower cluster', result);
    expect(result.slowerAfter).toBeLessThanOrEqual(500);
    expect(result.judgement.latency).toMatchObject({ isSlower: true });
    expect(result.rollbackAfter).toBeUndefined();
    expect(result.judgement.verdict).not.toBe('promote');
  }, 300_000);
});
