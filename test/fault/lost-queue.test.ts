/**
 * The queue of a backfill is lost in the middle: the one process of an embedded store is killed, which held it in memory,
 * or somebody deletes its stream. An empty queue must not pass for one that was worked off.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AgentProcess, crossfade, must, startAgent, statusAt } from '../support/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import { services, uniqueName } from '../support/services.ts';
import { withNats } from '../integration/coordination/nats-admin.ts';
import { differing } from './checker.ts';
import { readAll, seed } from './documents.ts';
import { Recorder } from './recorder.ts';
import { buildWorld } from './world.ts';

const chunks = { chunkDocs: 50, maxPageDocs: 25 };
const folder = mkdtempSync(join(tmpdir(), 'crossfade-queue-'));
const slug = uniqueName('queue');
const names = { source: `${slug}_v1`, target: `${slug}_v2` };
let urls: Awaited<ReturnType<typeof services>>;
let agent: AgentProcess | undefined;

beforeAll(async () => {
  urls = await services();
});
afterAll(async () => {
  await agent?.stop();
  for (const side of ['source', 'target'] as const) {
    await fetch(`${urls[`${side}Url`]}/${names[side]}`, { method: 'DELETE' });
    await fetch(`${urls[`${side}Url`]}/crossfade-fence/_alias/crossfade-${slug}-*`, { method: 'DELETE' });
  }
  rmSync(folder, { recursive: true, force: true });
});

test('with the process of an embedded store that is killed: the next one begins the backfill again', async () => {
  const env = { CROSSFADE_STORE_FILE: join(folder, 'store.json'), CROSSFADE_STATE_DIR: folder };
  const start = () =>
    startAgent({
      env: {
        ...env,
        CROSSFADE_MEMBER: 'only',
        CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl,
        CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl,
      },
    });
  const cli = (...args: string[]) => must(crossfade(args, env));
  await seed(urls.sourceUrl, {
    index: names.source,
    alias: slug,
    recorder: new Recorder(),
    more: 2000,
    type: undefined,
  });
  const file = join(folder, 'route.json');
  writeFileSync(
    file,
    JSON.stringify({ route: slug, indices: [names], aliases: [slug], createTarget: true, backfill: chunks }),
  );
  const killed = await start();
  await cli('apply', '-f', file);
  await cli('route', 'set', `${slug}.rate`, '200');
  await cli('phase', slug, 'dual');
  await eventually(async () => (await readAll(urls.targetUrl, names.target)).size > 0, { timeoutMs: 60_000 });
  killed.signal('SIGKILL');
  await killed.exit();
  expect((await readAll(urls.targetUrl, names.target)).size).toBeLessThan(2000);
  agent = await start();
  await cli('route', 'set', `${slug}.rate`, '20000');
  const done = async () => (await statusAt(agent as AgentProcess, slug)).backfill?.state === 'done';
  await eventually(done, { timeoutMs: 120_000, everyMs: 500, what: 'the end of the backfill' });
  const [source, target] = await Promise.all([
    readAll(urls.sourceUrl, names.source),
    readAll(urls.targetUrl, names.target),
  ]);
  expect(differing(source, target)).toEqual([]);
}, 300_000);

test('with its stream on NATS: the leader begins the backfill again', async () => {
  const world = await buildWorld({ agents: 2, more: 2000, dual: false, route: { backfill: chunks } });
  try {
    await world.cli('route', 'set', `${world.slug}.rate`, '200');
    await must(world.cli('phase', world.slug, 'dual'));
    await world.until((now) => (now.backfill?.docs ?? 0) > 0, 'a backfill under way');
    await withNats(urls.natsUrl, async (connection) => {
      await (await jetstreamManager(connection)).streams.delete(`${world.slug}_work_${world.slug}`);
    });
    await world.cli('route', 'set', `${world.slug}.rate`, '20000');
    await world.until((now) => now.backfill?.state === 'done', 'the end of the backfill');
    expect(await world.verdict()).toEqual([]);
  } finally {
    await world.close();
  }
}, 300_000);
