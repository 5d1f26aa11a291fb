/** NATS is down when a pod restarts: the member serves what it served before, from its cache on disk. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AgentProcess, crossfade, must, startAgent } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { missingNats, reasonNats } from '../../support/own-nats.ts';
import { services, startNats, uniqueName } from '../../support/services.ts';

const slug = uniqueName('away');
const source = `${slug}_v1`;
const target = `${slug}_v2`;
const folder = mkdtempSync(join(tmpdir(), 'crossfade-away-'));
let urls: Awaited<ReturnType<typeof services>>;
let nats: Awaited<ReturnType<typeof startNats>>;
let agent: AgentProcess | undefined;

const start = (): Promise<AgentProcess> =>
  startAgent({
    env: {
      CROSSFADE_NATS_SERVERS: nats.url,
      CROSSFADE_STATE_DIR: folder,
      CROSSFADE_MEMBER: 'gateway-0',
      CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl,
      CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl,
    },
  });
const write = (id: number): Promise<Response> =>
  fetch(`${agent?.url}/${slug}/_doc/${id}`, {
    method: 'PUT',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  });
const onTarget = async (id: number): Promise<boolean> => (await fetch(`${urls.targetUrl}/${target}/_doc/${id}`)).ok;

beforeAll(async () => {
  urls = await services();
  nats = await startNats();
  await fetch(`${urls.sourceUrl}/${source}`, {
    method: 'PUT',
    body: JSON.stringify({ settings: { number_of_replicas: 0 }, aliases: { [slug]: {} } }),
    headers: { 'content-type': 'application/json' },
  });
});
afterAll(async () => {
  await agent?.stop();
  await nats?.stop();
  await fetch(`${urls.sourceUrl}/${source}`, { method: 'DELETE' });
  await fetch(`${urls.targetUrl}/${target}`, { method: 'DELETE' });
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(missingNats !== undefined)(
  `an agent that restarts without NATS goes on copying writes${reasonNats}`,
  async () => {
    agent = await start();
    const file = join(folder, 'route.json');
    writeFileSync(
      file,
      JSON.stringify({ route: slug, indices: [{ source, target }], aliases: [slug], createTarget: true }),
    );
    const env = { CROSSFADE_NATS_SERVERS: nats.url };
    expect((await crossfade(['apply', '-f', file], env)).exit).toBe(0);
    await must(crossfade(['phase', slug, 'dual'], env));
    expect(await agent.stop()).toBe(0);
    await nats?.stop();

    agent = await start();
    expect((await fetch(`${agent.adminUrl}/readyz`)).status).toBe(200);
    expect((await write(1)).status).toBe(201);
    await eventually(() => onTarget(1), { what: 'the copy' });
    expect(await (await fetch(`${agent.adminUrl}/metrics`)).text()).toMatch(/^crossfade_store_connected 0$/m);
    expect(await crossfade(['status', slug], env)).toMatchObject({ exit: 6, err: expect.stringContaining('NATS') });
  },
);
