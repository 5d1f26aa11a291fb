/** A share of reads that was set before there is anything to read on the target: what clients are answered meanwhile. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, must, type Ran, startAgent, statusAt } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';

const slug = uniqueName('waits');
const [source, target] = [`${slug}_v1`, `${slug}_v2`];
const folder = mkdtempSync(join(tmpdir(), 'crossfade-waits-'));
const env = { CROSSFADE_STORE_FILE: join(folder, 'store.json'), CROSSFADE_MEMBER: 'pod-0' };
let urls: Awaited<ReturnType<typeof services>>;
let agent: AgentProcess;

const cli = (...args: string[]): Promise<Ran> => crossfade(args, env);
const send = async (url: string, method = 'GET', body?: unknown) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const json = (await answer.json()) as { found?: boolean; count?: number; docs?: { found: boolean }[] };
  return { side: answer.headers.get('x-crossfade-side'), status: answer.status, json };
};
/** What a client is told of ten documents by each kind of read, and by whom. */
const answers = async () => {
  const [got, counted, many] = await Promise.all([
    send(`${agent.url}/${slug}/_doc/7`),
    send(`${agent.url}/${slug}/_count`),
    send(`${agent.url}/${slug}/_mget`, 'POST', { ids: ['1', '2'] }),
  ]);
  expect([got.status, counted.json.count, many.json.docs?.map(({ found }) => found)]).toEqual([200, 10, [true, true]]);
  return [got, counted, many].map(({ side }) => side);
};
const [fromSource, fromTarget] = (['source', 'target'] as const).map((side) => [side, side, side]);
const readsMoved = () =>
  eventually(async () => String(await answers()) === String(fromTarget), { what: 'reads', timeoutMs: 60_000 });

beforeAll(async () => {
  urls = await services();
  const settings = { number_of_replicas: 0 };
  await send(`${urls.sourceUrl}/${source}`, 'PUT', { settings, aliases: { [slug]: {} } });
  for (let i = 0; i < 10; i++) await send(`${urls.sourceUrl}/${source}/_doc/${i}?refresh=true`, 'PUT', { i });
  agent = await startAgent({
    env: { ...env, CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl, CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl },
  });
  const file = join(folder, 'route.json');
  const route = { route: slug, indices: [{ source, target }], aliases: [slug], createTarget: true };
  writeFileSync(file, JSON.stringify(route));
  await must(cli('apply', '-f', file));
  await must(cli('phase', slug, 'observe', '--wait'));
}, 120_000);

afterAll(async () => {
  await agent?.stop();
  await send(`${urls.sourceUrl}/${source}`, 'DELETE');
  await send(`${urls.targetUrl}/${target}`, 'DELETE');
  rmSync(folder, { recursive: true, force: true });
});

describe('reads that were sent to the target before it is filled', () => {
  test('stay at the source until the backfill of this very stay is complete', async () => {
    await must(cli('route', 'set', `${slug}.pct.read`, '100'));
    for (const _stay of ['first', 'second']) {
      await must(cli('route', 'set', `${slug}.rate`, 'pause'));
      await must(cli('phase', slug, 'dual', '--wait'));
      for (let asked = 0; asked < 5; asked++) expect(await answers()).toEqual(fromSource);
      expect(await statusAt(agent, slug)).toMatchObject({
        percent: { read: 0 },
        readBarrier: expect.stringContaining('backfill'),
      });
      expect(await (await fetch(`${agent.adminUrl}/metrics`)).text()).toContain(
        `crossfade_read_choices_total{route="${slug}",side="source",reason="backfill"}`,
      );
      await must(cli('route', 'set', `${slug}.rate`, '1000'));
      await readsMoved();
      expect(await statusAt(agent, slug)).toMatchObject({ percent: { read: 100 }, readBarrier: null });
      await must(cli('phase', slug, 'observe', '--wait', '--yes'));
      await send(`${urls.targetUrl}/${target}`, 'DELETE');
    }
  }, 180_000);
});
