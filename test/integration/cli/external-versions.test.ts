/**
 * A whole migration of an application that sets the versions itself: each document has the application's version on both
 * sides, over backfill, tail, deletes and the cutover, so that the next version it gives is taken everywhere.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, must, type Ran, startAgent, statusAt } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';

const slug = uniqueName('versions');
const [source, target] = [`${slug}_v1`, `${slug}_v2`];
const folder = mkdtempSync(join(tmpdir(), 'crossfade-versions-'));
const env = { CROSSFADE_STORE_FILE: join(folder, 'store.json'), CROSSFADE_MEMBER: 'pod-0' };
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
const own = (version: number) => `version=${version}&version_type=external`;
const write = (id: string, version: number, base = `${agent?.url}/${slug}`) =>
  request('PUT', `${base}/_doc/${id}?${own(version)}`, { written: version });
const remove = (id: string, version: number) => request('DELETE', `${agent?.url}/${slug}/_doc/${id}?${own(version)}`);
const versions = async (base: string, index: string): Promise<Record<string, number>> => {
  await request('POST', `${base}/${index}/_refresh`);
  const { hits } = await request('POST', `${base}/${index}/_search`, { size: 100, version: true });
  return Object.fromEntries(hits.hits.map((hit: { _id: string; _version: number }) => [hit._id, hit._version]));
};
const both = async () => [await versions(urls.sourceUrl, source), await versions(urls.targetUrl, target)];
const isReady = async (which: 'safeToAdvance' | 'safeToRollBack'): Promise<boolean> =>
  (await statusAt(agent!, slug))[which]?.ok === true;

beforeAll(async () => {
  urls = await services();
  const settings = { number_of_replicas: 0, number_of_shards: 1 };
  await request('PUT', `${urls.sourceUrl}/${source}`, { settings, aliases: { [slug]: {} } });
  agent = await startAgent({
    env: { ...env, CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl, CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl },
  });
  await write('filled', 100);
  await write('filled-and-gone', 100);
  const route = { route: slug, indices: [{ source, target }], aliases: [slug], createTarget: true };
  const file = join(folder, 'route.json');
  writeFileSync(file, JSON.stringify({ ...route, versions: 'external' }));
  await must(cli('apply', '-f', file));
  await must(cli('phase', slug, 'dual', '--wait'));
}, 120_000);

afterAll(async () => {
  await agent?.stop();
  await fetch(`${urls.sourceUrl}/${source}`, { method: 'DELETE' });
  await fetch(`${urls.targetUrl}/${target}`, { method: 'DELETE' });
  rmSync(folder, { recursive: true, force: true });
});

describe('a route with versions: external', () => {
  test('keeps the versions of the application on both sides, over the cutover and after it', async () => {
    await eventually(async () => (await versions(urls.targetUrl, target))['filled'] === 100, { what: 'the backfill' });
    await write('filled', 101);
    await remove('filled-and-gone', 101);
    await write('made', 7);
    await write('brought-by-the-tail', 7, `${urls.sourceUrl}/${source}`);
    await write('made-anew', 7);
    await remove('made-anew', 8);
    await write('made-anew', 9);
    const before = { filled: 101, made: 7, 'brought-by-the-tail': 7, 'made-anew': 9 };
    await eventually(() => isReady('safeToAdvance'), { what: 'a proof', timeoutMs: 60_000 });
    expect(await both()).toEqual([before, before]);
    await must(cli('verify', slug, '--mode', 'full', '--wait'));
    await must(cli('advance', slug, '--wait', '--yes'));
    await write('filled', 102);
    await write('made', 8);
    await remove('made-anew', 10);
    await write('brought-by-the-tail', 8, `${urls.targetUrl}/${target}`);
    const after = { filled: 102, made: 8, 'brought-by-the-tail': 8 };
    await eventually(() => isReady('safeToRollBack'), { what: 'the way back', timeoutMs: 60_000 });
    await eventually(async () => (await versions(urls.sourceUrl, source))['brought-by-the-tail'] === 8);
    expect(await both()).toEqual([after, after]);
    await must(cli('rollback', slug, '--wait', '--yes'));
    await write('filled', 103);
    await eventually(async () => (await versions(urls.targetUrl, target))['filled'] === 103);
  }, 180_000);
});
