/** Two real agents, one NATS bucket, two clusters: what a person does with the command line reaches both of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RouteStatus } from '../../../src/fleet/fleet-status.ts';
import { type AgentProcess, crossfade, must, type Ran, startAgent } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';
import { dropStreams, kvPut, withNats } from '../coordination/nats-admin.ts';

const slug = uniqueName('cli');
const bucket = uniqueName('cli');
const source = `${slug}_v1`;
const target = `${slug}_v2`;
const folder = mkdtempSync(join(tmpdir(), 'crossfade-cli-'));
let urls: Awaited<ReturnType<typeof services>>;
let agents: AgentProcess[] = [];
let env: Record<string, string>;

const cli = (...args: string[]): Promise<Ran> => crossfade(args, env);
const status = async (): Promise<RouteStatus> => JSON.parse((await cli('status', slug, '--json')).out);
const put = (key: string, value: string) =>
  withNats(urls.natsUrl, (connection) => kvPut(connection, bucket, { key, value }));
const call = async (base: string, path: string, body?: unknown, method = 'POST') => {
  const answer = await fetch(`${base}${path}`, {
    method: body === undefined ? 'GET' : method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return {
    status: answer.status,
    side: answer.headers.get('x-crossfade-side'),
    json: (await answer.json()) as Record<string, unknown>,
  };
};
const sideOfReads = async (agent: AgentProcess): Promise<string | null> =>
  (await call(agent.url, `/${slug}/_search`, { query: { match_all: {} } })).side;

beforeAll(async () => {
  urls = await services();
  env = { CROSSFADE_NATS_SERVERS: urls.natsUrl, CROSSFADE_NATS_BUCKET: bucket };
  await call(urls.sourceUrl, `/${source}`, { settings: { number_of_replicas: 0 }, aliases: { [slug]: {} } }, 'PUT');
  const start = (member: string) =>
    startAgent({
      env: {
        ...env,
        CROSSFADE_MEMBER: member,
        CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl,
        CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl,
      },
    });
  agents = await Promise.all([start('gateway-0'), start('gateway-1')]);
});

/** What the agents complained about, when a test failed. */
afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const agent of agents) console.error(agent.pid, JSON.stringify(agent.log().filter(({ level }) => level >= 40)));
});

afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  await fetch(`${urls.sourceUrl}/${source},${slug}_more`, { method: 'DELETE' });
  await fetch(`${urls.targetUrl}/${target}`, { method: 'DELETE' });
  await dropStreams(urls.natsUrl, bucket);
  rmSync(folder, { recursive: true, force: true });
});

describe('two agents and the command line', () => {
  test('traffic passes to the source before any route is known', async () => {
    for (const { url } of agents) expect((await call(url, '/')).json['name']).toBe('source');
  });

  test('a route is applied, and the fleet shows both members', async () => {
    const file = join(folder, 'route.yaml');
    writeFileSync(
      file,
      `route: ${slug}\nindices: [{ source: ${source}, target: ${target} }]\naliases: [${slug}]\ncreateTarget: true\ncopies: { ackTimeoutMs: 20000 }\n`,
    );
    expect(await cli('apply', '-f', file)).toMatchObject({ exit: 0, out: `${slug}: applied (new route)\n` });
    const members = JSON.parse((await cli('members', '--json')).out).members.map(
      ({ member }: { member: string }) => member,
    );
    expect(members).toEqual(['gateway-0', 'gateway-1']);
  });

  test('the phase moves to dual, and writes through either agent reach both clusters', async () => {
    await must(cli('phase', slug, 'dual'));
    expect(await status()).toMatchObject({ phase: 'dual', epoch: 1, reign: 1, hold: null });
    for (const [i, { url }] of agents.entries())
      expect((await call(url, `/${slug}/_doc/${i}?refresh=true`, { n: i }, 'PUT')).status).toBe(201);
    for (const i of agents.keys())
      await eventually(async () => (await fetch(`${urls.targetUrl}/${target}/_doc/${i}`)).ok, { what: `copy of ${i}` });
  });

  test('a percentage that a person puts into NATS moves the reads of both agents, and a reset brings them home', async () => {
    expect(await Promise.all(agents.map(sideOfReads))).toEqual(['source', 'source']);
    // `echo 100 | nats kv put` stores the line feed too.
    await put(`rt.${slug}.pct.read`, '100\n');
    for (const agent of agents)
      await eventually(async () => (await sideOfReads(agent)) === 'target', { what: 'reads on the target' });
    expect((await status()).percent).toEqual({ read: 100, shadow: 0, write: 100 });
    const [one, two] = agents.map(({ url }) => url) as [string, string];
    const more = Array.from({ length: 50 }, (_, i) => `{"index":{"_id":"r${i}"}}\n{"more":true}\n`).join('');
    const filled = await fetch(`${urls.sourceUrl}/${slug}_more/_bulk?refresh=true`, {
      method: 'POST',
      body: more,
      headers: { 'content-type': 'application/x-ndjson' },
    });
    expect(filled.ok).toBe(true);
    const reindex = { source: { index: `${slug}_more` }, dest: { index: slug } };
    expect((await call(one, '/_reindex?refresh=true', reindex)).json['created']).toBe(50);
    const seen = await call(two, `/${slug}/_count`, { query: { term: { more: true } } });
    expect([seen.side, seen.json['count']]).toEqual(['target', 50]);
    await must(cli('route', 'reset', slug));
    for (const agent of agents)
      await eventually(async () => (await sideOfReads(agent)) === 'source', { what: 'reads at home' });
  });

  test('rubbish keeps the last good value and shows in the status and as a metric', async () => {
    await cli('route', 'set', `${slug}.pct.shadow`, '5');
    await put(`rt.${slug}.pct.shadow`, 'five');
    const seen = await eventually(async () => {
      const now = await status();
      return now.errors.length > 0 ? now : undefined;
    });
    expect(seen.percent.shadow).toBe(5);
    await eventually(async () =>
      (await (await fetch(`${agents[0]!.adminUrl}/metrics`)).text()).includes(
        `crossfade_route_config_errors{route="${slug}"} 1`,
      ),
    );
    await cli('route', 'set', `${slug}.pct.shadow`, '0');
  });

  test('reads are told apart by side in the metrics, and every series has our prefix', async () => {
    const text = await (await fetch(`${agents[0]!.adminUrl}/metrics`)).text();
    expect(text).toMatch(
      new RegExp(`crossfade_requests_total\\{route="${slug}",family="search",side="target",outcome="ok"\\} [1-9]`),
    );
    expect(text).toContain(`crossfade_route_phase{route="${slug}",phase="dual"} 1`);
    expect(text).toContain('crossfade_store_connected 1');
    const names = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(names.filter((line) => !line.startsWith('crossfade_'))).toEqual([]);
  });

  test('the admin API of either member shows the whole fleet and changes it', async () => {
    const { adminUrl } = agents[1]!;
    expect((await call(adminUrl, `/api/routes/${slug}`)).json).toMatchObject({
      phase: 'dual',
      members: [{ member: 'gateway-0' }, { member: 'gateway-1' }],
    });
    expect((await call(adminUrl, `/api/routes/${slug}/set`, { setting: 'pct.read', value: 100 })).status).toBe(200);
    await eventually(async () => (await sideOfReads(agents[0]!)) === 'target', { what: 'reads on the target' });
    await call(adminUrl, `/api/routes/${slug}/reset`, {});
  });

  test('what the leader did is in the audit under the name of who asked', async () => {
    const { entries } = JSON.parse((await cli('audit', slug, '--json')).out);
    // The commands of this file run with CROSSFADE_ACTOR=test: the asker stands there, not the agent that carried it out.
    expect(entries).toContainEqual(expect.objectContaining({ what: 'phase dual', by: 'test' }));
  });

  test('a switch that the phase does not allow is refused with its own exit code', async () => {
    expect(await cli('phase', slug, 'target')).toMatchObject({
      exit: 3,
      err: expect.stringContaining(`advance ${slug} --wait`),
    });
    expect(await cli('finalize', slug, '--wait', '--yes')).toMatchObject({ exit: 3 });
  });

  test('an agent leaves the membership at SIGTERM and exits with 0', async () => {
    const leaving = agents.pop()!;
    expect(await leaving.stop()).toBe(0);
    const { members } = JSON.parse((await cli('members', '--json')).out);
    expect(members.map(({ member }: { member: string }) => member)).toEqual(['gateway-0']);
  });
});
