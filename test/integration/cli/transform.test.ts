/**
 * A whole migration whose transform renames a field and drops drafts: forward, over the cutover, and back. Drafts stay
 * where they were written, so that the counts of both sides differ, and still prove the switch.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OneAgent, request } from '../../support/one-agent.ts';

const one = new OneAgent('drops');
const { slug, source, target } = one;
const transform = join(one.folder, 'transform.mjs');

const write = (id: string, doc: unknown) => request('PUT', `${one.agent.url}/${slug}/_doc/${id}`, doc);
const contents = async (base: string, index: string): Promise<Record<string, unknown>> => {
  await request('POST', `${base}/${index}/_refresh`);
  const { hits } = await request('GET', `${base}/${index}/_search?size=100`);
  return Object.fromEntries(hits.hits.map((hit: { _id: string; _source: unknown }) => [hit._id, hit._source]));
};
const both = async () => [await contents(one.urls.sourceUrl, source), await contents(one.urls.targetUrl, target)];

beforeAll(async () => {
  await one.createSource({ mappings: { properties: { kind: { type: 'keyword' } } } });
  writeFileSync(
    transform,
    `export default ({ title, ...rest }) => (rest.kind === 'draft' ? null : { ...rest, name: title });
     export const inverse = ({ name, ...rest }) => ({ ...rest, title: name });
     export const drops = { source: { term: { kind: 'draft' } } };`,
  );
  await one.start();
  await write('old', { title: 'lamp', kind: 'item' });
  await write('old-draft', { title: 'a', kind: 'draft' });
  await one.apply({ transform });
  await one.must('phase', slug, 'dual', '--wait');
}, 120_000);

afterAll(() => one.close());

describe('a route whose transform drops documents', () => {
  test('is cut over, rolled back, and keeps on each side what belongs there', async () => {
    await write('new', { title: 'chair', kind: 'item' });
    await write('new-draft', { title: 'b', kind: 'draft' });
    await write('withdrawn', { title: 'c', kind: 'item' });
    await write('withdrawn', { title: 'c', kind: 'draft' });
    const drafts = { 'old-draft': { title: 'a', kind: 'draft' }, 'new-draft': { title: 'b', kind: 'draft' } };
    const own = {
      ...drafts,
      withdrawn: { title: 'c', kind: 'draft' },
      old: { title: 'lamp', kind: 'item' },
      new: { title: 'chair', kind: 'item' },
    };
    const copies = { old: { name: 'lamp', kind: 'item' }, new: { name: 'chair', kind: 'item' } };
    await one.untilReady();
    expect(await both()).toEqual([own, copies]);
    await one.must('advance', slug, '--wait', '--yes');
    await write('later', { name: 'table', kind: 'item' });
    await one.untilReady('safeToRollBack');
    await one.must('verify', slug, '--mode', 'full', '--wait');
    await one.must('rollback', slug, '--wait', '--yes');
    expect(await both()).toEqual([
      { ...own, later: { title: 'table', kind: 'item' } },
      { ...copies, later: { name: 'table', kind: 'item' } },
    ]);
  }, 180_000);
});
