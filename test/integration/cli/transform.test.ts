/**
 * A whole migration whose transform renames a field and drops drafts: forward, over the cutover, and back. Drafts stay
 * where they were written, so that the counts of both sides differ, and still prove the switch.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, must, type Ran, startAgent, statusAt } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';

const slug = uniqueName('drops');
const [source, target] = [`${slug}_v1`, `${slug}_v2`];
const folder = mkdtempSync(join(tmpdir(), 'crossfade-drops-'));
const env = { CROSSFADE_STORE_FILE: join(folder, 'store.json'), CROSSFADE_MEMBER: 'pod-0' };
const transform = join(folder, 'transform.mjs');
let urls: Awaited<ReturnType<typeof services>>;
let agent: AgentProcess | undefined;

const cli = (...args: string[]): Promise<Ran> => crossfade(args, env);
const request = async (method: string, url: string, body?: unknown) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await answer.text();
  expect([answer.ok, text]).toEqual([true, text]);
  return JSON.parse(text);
};
const write = (id: string, doc: unknown) => request('PUT', `${agent?.url}/${slug}/_doc/${id}`, doc);
const contents = async (base: string, index: string): Promise<Record<string, unknown>> => {
  await request('POST', `${base}/${index}/_refresh`);
  const { hits } = await request('GET', `${base}/${index}/_search?size=100`);
  return Object.fromEntries(hits.hits.map((hit: { _id: string; _source: unknown }) => [hit._id, hit._source]));
};
const both = async () => [await contents(urls.sourceUrl, source), await contents(urls.targetUrl, target)];
const isReady = async (which: 'safeToAdvance' | 'safeToRollBack'): Promise<boolean> => {
  return (await statusAt(agent!, slug))[which]?.ok === true;
};

beforeAll(async () => {
  urls = await services();
  const settings = { number_of_replicas: 0, number_of_shards: 1 };
  const mappings = { properties: { kind: { type: 'keyword' } } };
  await request('PUT', `${urls.sourceUrl}/${source}`, { settings, mappings, aliases: { [slug]: {} } });
  writeFileSync(
    transform,
    `export default ({ title, ...rest }) => (rest.kind === 'draft' ? null : { ...rest, name: title });
     export const inverse = ({ name, ...rest }) => ({ ...rest, title: name });
     export const drops = { source: { term: { kind: 'draft' } } };`,
  );
  agent = await startAgent({
    env: { ...env, CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl, CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl },
  });
  await write('old', { title: 'lamp', kind: 'item' });
  await write('old-draft', { title: 'a', kind: 'draft' });
  const route = { route: slug, indices: [{ source, target }], aliases: [slug], createTarget: true, transform };
  const file = join(folder, 'route.json');
  writeFileSync(file, JSON.stringify(route));
  await must(cli('apply', '-f', file));
  await must(cli('phase', slug, 'dual', '--wait'));
}, 120_000);

afterAll(async () => {
  await agent?.stop();
  await fetch(`${urls.sourceUrl}/${source}`, { method: 'DELETE' });
  await fetch(`${urls.targetUrl}/${target}`, { method: 'DELETE' });
  rmSync(folder, { recursive: true, force: true });
});

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
    await eventually(() => isReady('safeToAdvance'), { what: 'a proof', timeoutMs: 60_000 });
    expect(await both()).toEqual([own, copies]);
    await must(cli('advance', slug, '--wait', '--yes'));
    await write('later', { name: 'table', kind: 'item' });
    await eventually(() => isReady('safeToRollBack'), { what: 'the way back', timeoutMs: 60_000 });
    await must(cli('verify', slug, '--mode', 'full', '--wait'));
    await must(cli('rollback', slug, '--wait', '--yes'));
    expect(await both()).toEqual([
      { ...own, later: { title: 'table', kind: 'item' } },
      { ...copies, later: { name: 'table', kind: 'item' } },
    ]);
  }, 180_000);
});
