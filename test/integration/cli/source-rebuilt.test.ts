/** A source that is built anew each night: its sequence numbers begin at 0, and what was copied the day before stands on the target. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, must, type Ran, startAgent, statusAt } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';

const slug = uniqueName('rebuilt');
const [source, target] = [`${slug}_v1`, `${slug}_v2`];
const folder = mkdtempSync(join(tmpdir(), 'crossfade-rebuilt-'));
let urls: Awaited<ReturnType<typeof services>>;
let agent: AgentProcess | undefined;
let env: Record<string, string>;

const cli = (...args: string[]): Promise<Ran> => crossfade(args, env);
const request = async (method: string, url: string, body?: unknown) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await answer.text();
  expect([answer.ok, text]).toEqual([true, text]);
  return JSON.parse(text);
};
const build = async (night: number, writes: number) => {
  const settings = { number_of_replicas: 0, number_of_shards: 1 };
  await request('PUT', `${urls.sourceUrl}/${source}`, { settings, aliases: { [slug]: {} } });
  for (let i = 0; i < writes; i++) await request('PUT', `${urls.sourceUrl}/${source}/_doc/a`, { night, i });
};
const onTarget = async (): Promise<unknown> => (await request('GET', `${urls.targetUrl}/${target}/_doc/a`))._source;
const startMigration = async (name: string) => {
  const own = { CROSSFADE_STORE_FILE: join(folder, `${name}.store.json`), CROSSFADE_MEMBER: 'pod-0' };
  env = own;
  agent = await startAgent({
    env: { ...own, CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl, CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl },
  });
  const file = join(folder, 'route.json');
  const route = { route: name, indices: [{ source, target }], aliases: [slug], createTarget: true };
  writeFileSync(file, JSON.stringify(route));
  await must(cli('apply', '-f', file));
};
const refusal = async (): Promise<string> => {
  const { exit, out } = await cli('phase', `${slug}_2`, 'dual', '--wait');
  expect(exit).toBe(3);
  return out;
};
const isProven = () =>
  eventually(async () => (await statusAt(agent!, slug)).safeToAdvance?.ok === true, {
    what: 'a proof',
    timeoutMs: 60_000,
  });

beforeAll(async () => {
  urls = await services();
}, 120_000);

afterAll(async () => {
  await agent?.stop();
  await fetch(`${urls.sourceUrl}/${source}`, { method: 'DELETE' });
  await fetch(`${urls.targetUrl}/${target}`, { method: 'DELETE' });
  rmSync(folder, { recursive: true, force: true });
});

describe('a source that was built anew', () => {
  test('is copied anew after a stay in observe, and by another migration to the same target', async () => {
    await build(1, 9);
    await startMigration(slug);
    await must(cli('phase', slug, 'dual', '--wait'));
    await isProven();
    expect(await onTarget()).toEqual({ night: 1, i: 8 });

    await must(cli('phase', slug, 'observe', '--wait', '--yes'));
    await must(cli('phase', slug, 'dual', '--wait'));
    expect(await statusAt(agent!, slug)).toMatchObject({ reign: 1 });

    await must(cli('phase', slug, 'off', '--wait', '--yes'));
    await request('DELETE', `${urls.sourceUrl}/${source}`);
    await build(2, 3);
    await must(cli('phase', slug, 'dual', '--wait'));
    await isProven();
    expect(await onTarget()).toEqual({ night: 2, i: 2 });
    await request('PUT', `${agent!.url}/${slug}/_doc/a`, { written: true });
    await eventually(async () => JSON.stringify(await onTarget()) === '{"written":true}', { what: 'the copy' });

    await must(cli('phase', slug, 'off', '--wait', '--yes'));
    await agent?.stop();
    await startMigration(`${slug}_2`);
    const [, alias = ''] = /by its alias (\S+)\n/.exec(await refusal()) ?? [];
    await request('POST', `${urls.targetUrl}/_aliases`, { actions: [{ remove: { index: target, alias } }] });
    expect(await refusal()).toContain('create it anew');
  }, 180_000);
});
