import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pathText } from '../../../src/compare/rules.ts';
import { type CampaignResult, mismatches, runCampaign } from '../../fixtures/compare/campaign.ts';
import { mixedQueries } from '../../fixtures/compare/queries.ts';
import { drop, layOut, merge } from '../../fixtures/compare/shop.ts';
import { services, uniqueName } from '../../support/services.ts';

const documents = 1000;
const index = uniqueName('compare-aa');
let urls: { sourceUrl: string; targetUrl: string };

const described = (result: CampaignResult): string[] =>
  mismatches(result).map(
    ({ request, observation }) =>
      `${observation.severity} ${request.name} ${observation.differences.slice(0, 2).map((d) => `${d.kind} ${pathText(d.path)}`)}`,
  );

beforeAll(async () => {
  urls = await services();
  await layOut({ url: urls.sourceUrl, index, shards: 1, documents });
  await layOut({ url: urls.targetUrl, index, shards: 5, documents, seed: 11 });
}, 120_000);

afterAll(async () => {
  await Promise.all([drop(urls.sourceUrl, index), drop(urls.targetUrl, index)]);
});

const campaign = (total: number, seed: number, asRecheck = false): Promise<CampaignResult> =>
  runCampaign({
    authorityUrl: urls.sourceUrl,
    otherUrl: urls.targetUrl,
    index,
    requests: mixedQueries({ total, documents, seed }),
    baseline: 0.2,
    asRecheck,
  });

describe('the same documents in one shard, and in five with deleted leftovers', () => {
  it('do not differ in what a client reads, over 560 mixed queries, and the verdict is not rollback', async () => {
    const result = await campaign(560, 3);
    expect(described(result)).toEqual([]);
    expect(result.rollbackAfter).toBeUndefined();
    expect(result.compared).toBe(560);
    expect(result.judgement.verdict).not.toBe('rollback');
  }, 300_000);

  it('do not differ after a merge either, asked as a re-check asks', async () => {
    await merge(urls.targetUrl, index);
    const result = await campaign(448, 4, true);
    expect(described(result)).toEqual([]);
    expect(result.rollbackAfter).toBeUndefined();
  }, 300_000);
});
