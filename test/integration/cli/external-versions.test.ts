/**
 * A whole migration of an application that sets the versions itself: each document has the application's version on both
 * sides, over backfill, tail, deletes and the cutover, so that the next version it gives is taken everywhere.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { OneAgent, request } from '../../support/one-agent.ts';

const one = new OneAgent('versions');
const { slug, source, target } = one;

const own = (version: number) => `version=${version}&version_type=external`;
const write = (id: string, version: number, base = `${one.agent.url}/${slug}`) =>
  request('PUT', `${base}/_doc/${id}?${own(version)}`, { written: version });
const remove = (id: string, version: number) =>
  request('DELETE', `${one.agent.url}/${slug}/_doc/${id}?${own(version)}`);
const versions = async (base: string, index: string): Promise<Record<string, number>> => {
  await request('POST', `${base}/${index}/_refresh`);
  const { hits } = await request('POST', `${base}/${index}/_search`, { size: 100, version: true });
  return Object.fromEntries(hits.hits.map((hit: { _id: string; _version: number }) => [hit._id, hit._version]));
};
const onSource = () => versions(one.urls.sourceUrl, source);
const onTarget = () => versions(one.urls.targetUrl, target);
const both = async () => [await onSource(), await onTarget()];

beforeAll(async () => {
  await one.createSource();
  await one.start();
  await write('filled', 100);
  await write('filled-and-gone', 100);
  await one.apply({ versions: 'external' });
  await one.must('phase', slug, 'dual', '--wait');
}, 120_000);

afterAll(() => one.close());

describe('a route with versions: external', () => {
  test('keeps the versions of the application on both sides, over the cutover and after it', async () => {
    await eventually(async () => (await onTarget())['filled'] === 100, { what: 'the backfill' });
    await write('filled', 101);
    await remove('filled-and-gone', 101);
    await write('made', 7);
    await write('brought-by-the-tail', 7, `${one.urls.sourceUrl}/${source}`);
    await write('made-anew', 7);
    await remove('made-anew', 8);
    await write('made-anew', 9);
    const before = { filled: 101, made: 7, 'brought-by-the-tail': 7, 'made-anew': 9 };
    await one.untilReady();
    expect(await both()).toEqual([before, before]);
    await one.must('verify', slug, '--mode', 'full', '--wait');
    await one.must('advance', slug, '--wait', '--yes');
    await write('filled', 102);
    await write('made', 8);
    await remove('made-anew', 10);
    await write('brought-by-the-tail', 8, `${one.urls.targetUrl}/${target}`);
    const after = { filled: 102, made: 8, 'brought-by-the-tail': 8 };
    await one.untilReady('safeToRollBack');
    await eventually(async () => (await onSource())['brought-by-the-tail'] === 8);
    expect(await both()).toEqual([after, after]);
    await one.must('rollback', slug, '--wait', '--yes');
    await write('filled', 103);
    await eventually(async () => (await onTarget())['filled'] === 103);
  }, 180_000);
});
