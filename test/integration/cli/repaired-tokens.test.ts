/** Optimistic concurrency by clients of the follower, on a document that was repaired over what a foreign writer left there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AgentProcess, crossfade, must, type Ran, startAgent, statusAt } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';

const slug = uniqueName('tokens');
const [source, target] = [`${slug}_v1`, `${slug}_v2`];
const folder = mkdtempSync(join(tmpdir(), 'crossfade-tokens-'));
const env = { CROSSFADE_STORE_FILE: join(folder, 'store.json'), CROSSFADE_MEMBER: 'pod-0' };
let urls: Awaited<ReturnType<typeof services>>;
let agent: AgentProcess;

const cli = (...args: string[]): Promise<Ran> => crossfade(args, env);
type Doc = { _seq_no: number; _primary_term: number; _version: number; _source?: { n: number } };
const send = async (url: string, method = 'GET', body?: unknown) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const doc = (await answer.json()) as Doc;
  return { side: answer.headers.get('x-crossfade-side'), status: answer.status, doc };
};
const read = () => send(`${agent.url}/${slug}/_doc/1`);
const write = ({ _seq_no, _primary_term }: Doc, n: number) =>
  send(`${agent.url}/${slug}/_doc/1?if_seq_no=${_seq_no}&if_primary_term=${_primary_term}`, 'PUT', { n });

beforeAll(async () => {
  urls = await services();
  const settings = { number_of_replicas: 0, number_of_shards: 1 };
  await send(`${urls.sourceUrl}/${source}`, 'PUT', { settings, aliases: { [slug]: {} } });
  await send(`${urls.sourceUrl}/${source}/_doc/1`, 'PUT', { n: 1 });
  // A version that is free: numbers up to here have been given out.
  for (let i = 0; i < 20; i++) await send(`${urls.sourceUrl}/${source}/_doc/other`, 'PUT', { i });
  agent = await startAgent({
    env: { ...env, CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl, CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl },
  });
  const file = join(folder, 'route.json');
  const route = { route: slug, indices: [{ source, target }], aliases: [slug], createTarget: true };
  writeFileSync(file, JSON.stringify(route));
  await must(cli('apply', '-f', file));
  await must(cli('phase', slug, 'dual', '--wait'));
  await eventually(async () => (await statusAt(agent, slug)).safeToAdvance?.ok === true, {
    what: 'a proof',
    timeoutMs: 60_000,
  });
}, 120_000);

afterAll(async () => {
  await agent?.stop();
  await send(`${urls.sourceUrl}/${source}`, 'DELETE');
  await send(`${urls.targetUrl}/${target}`, 'DELETE');
  rmSync(folder, { recursive: true, force: true });
});

test('a client that reads again after a conflict gets a token that fits, and the follower tells fitting ones from then on', async () => {
  const { doc: copied } = await send(`${urls.targetUrl}/${target}/_doc/1`);
  const foreign = `version_type=external&version=${copied._version + 2}`;
  expect((await send(`${urls.targetUrl}/${target}/_doc/1?${foreign}`, 'PUT', { n: -1 })).status).toBe(200);
  await must(cli('repair', slug, '--id', '1', '--force', '--wait', '--yes'));
  await must(cli('route', 'set', `${slug}.pct.read`, '100'));
  await eventually(async () => (await read()).side === 'target', { what: 'reads on the target' });
  const stale = await read();
  expect([stale.side, stale.doc._source]).toEqual(['target', { n: 1 }]);
  expect((await write(stale.doc, 2)).status).toBe(409);
  const again = await read();
  expect(again.side).toBe('source');
  expect((await write(again.doc, 3)).status).toBe(200);
  const onTarget = await send(`${urls.targetUrl}/${target}/_doc/1`);
  expect(onTarget.doc._source).toEqual({ n: 3 });
  expect((await write((await read()).doc, 4)).status).toBe(200);
}, 120_000);
