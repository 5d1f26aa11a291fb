/**
 * The alerts in a real Prometheus that scrapes real agents, while faults are put into a run under load: those that should
 * fire do, and those that would wake somebody for nothing stay quiet. Only durations of the rules are shortened.
 */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keys } from '../../../src/coordination/keys.ts';
import { buildWorld, type World } from '../../fault/world.ts';
import { startTcpLink, type TcpLink } from '../../fault/tcp-link.ts';
import { must } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { missingNats, reasonNats } from '../../support/own-nats.ts';
import { services, startNats } from '../../support/services.ts';
import { prometheusTools, startPrometheus } from '../../support/services/prometheus.ts';
import { read } from '../../unit/docs/files.ts';
import { kvPut, withNats } from '../coordination/nats-admin.ts';

const tools = await prometheusTools();
const missing = tools === undefined || missingNats !== undefined;
const everySeconds = 1;

/** Half a minute and more becomes five seconds, windows of minutes ten seconds, an age of a minute 25 seconds: longer
 * than a lease lives. */
const shortened = (rules: string): string =>
  rules
    .replaceAll(/for: ([1-9]\d*[sm])$/gm, 'for: 5s')
    .replaceAll(/\[\d+m\]/g, '[10s]')
    .replaceAll(/> 60'$/gm, "> 25'");

/** How quick this machine is, is no matter of ours. */
const ofTheMachine = new Set(['CrossfadeAddedLatencyHigh']);

let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
let nats: Awaited<ReturnType<typeof startNats>>;
let links: { source: TcpLink; target: TcpLink };
let world: World;
let reading: NodeJS.Timeout;

const linkTo = async (url: string): Promise<TcpLink> => {
  const { hostname, port } = new URL(url);
  return await startTcpLink({ host: hostname, port: Number(port) });
};

beforeAll(async () => {
  if (tools === undefined || missing) return;
  const urls = await services();
  links = { source: await linkTo(urls.sourceUrl), target: await linkTo(urls.targetUrl) };
  nats = await startNats();
  world = await buildWorld({
    natsUrl: nats.url,
    sourceUrl: `http://127.0.0.1:${links.source.port}`,
    targetUrl: `http://127.0.0.1:${links.target.port}`,
  });
  const targets = world.members.map(({ process }) => new URL(process.adminUrl).host);
  prometheus = await startPrometheus({
    tools,
    targets,
    everySeconds,
    rules: shortened(read('deploy/prometheus/crossfade-rules.yaml')),
  });
  let reads = 0;
  reading = setInterval(() => {
    for (const { process } of world.members)
      void fetch(`${process.url}/${world.slug}/_search?preference=${reads++}`, { signal: AbortSignal.timeout(5000) })
        .then((answer) => answer.arrayBuffer())
        .catch(() => undefined);
  }, 200);
});

let natsIsGone = false;
const startNatsAgain = async (): Promise<void> => {
  nats = await startNats({ port: nats.port, dir: nats.dir });
  natsIsGone = false;
};

afterAll(async () => {
  clearInterval(reading);
  if (natsIsGone) await startNatsAgain();
  await prometheus?.stop();
  for (const link of Object.values(links ?? {})) link.heal();
  await world?.close();
  links?.source.close();
  links?.target.close();
  await nats?.stop();
  if (nats !== undefined) rmSync(nats.dir, { recursive: true, force: true });
});

type Vector = { data: { result: { metric: Record<string, string> }[] } };
const query = async (expr: string): Promise<string[]> => {
  const answer = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expr)}`);
  const names = ((await answer.json()) as Vector).data.result.map(({ metric }) => metric['alertname'] ?? '');
  return [...new Set(names)].filter((name) => !ofTheMachine.has(name)).toSorted();
};
const firing = (): Promise<string[]> => query('ALERTS{alertstate="firing"}');
/** Asserts, so that a failure shows what fired instead. */
const settles = async (met: (seen: readonly string[]) => boolean, expected: readonly string[]): Promise<void> => {
  let seen: string[] = [];
  const asked = async (): Promise<boolean> => met((seen = await firing()));
  await eventually(asked, { timeoutMs: 75_000, everyMs: 500 }).catch(() => expect(seen).toEqual(expected));
};
const fires = (...names: string[]): Promise<void> =>
  settles((seen) => names.every((name) => seen.includes(name)), names);
const allQuiet = (): Promise<void> => settles((seen) => seen.length === 0, []);

/** Everything that fired since the fault began. */
const firedSince = async (startedMs: number): Promise<string[]> => {
  const seconds = Math.ceil((performance.now() - startedMs) / 1000);
  return await query(`max_over_time(ALERTS{alertstate="firing"}[${seconds}s])`);
};
const put = (path: string, body: unknown, url = world.members[0]?.process.url): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'PUT',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
const leader = async (): Promise<string> => (await world.status()).leader ?? '';
const follower = async () => {
  const name = await leader();
  const found = world.members.find((member) => member.name !== name);
  if (found === undefined) throw new Error('no follower');
  return found;
};

test('the shortened rules are the rules with other durations', () => {
  const rules = read('deploy/prometheus/crossfade-rules.yaml');
  const blank = (text: string): string =>
    text
      .replaceAll(/for: \w+$/gm, 'for')
      .replaceAll(/\[\w+\]/g, '[]')
      .replaceAll(/> \d+'$/gm, '>');
  expect(blank(shortened(rules))).toBe(blank(rules));
  expect(shortened(rules)).not.toBe(rules);
});

/** What fired since the fault began is all expected, or what it may bring along. */
const onlyFired = async (startedMs: number, ...allowed: readonly string[]): Promise<void> => {
  expect((await firedSince(startedMs)).filter((name) => !allowed.includes(name))).toEqual([]);
};
const gateIsOpen = (): Promise<boolean> =>
  eventually(async () => (await world.status()).safeToAdvance.ok, { timeoutMs: 60_000, what: 'the gate to open' });

/** The field that makes the follower refuse a document is mapped there alone, which the leader notices in its time. */
const mappedOnOneSide = 'CrossfadeRouteAlarm';

describe.skipIf(missing)(`alerts in a real Prometheus${reasonNats}`, () => {
  test('are quiet while everything is well under load', async () => {
    await gateIsOpen();
    await allQuiet();
    const started = performance.now();
    await world.load.acknowledges(200);
    await onlyFired(started);
  }, 180_000);

  test('tell of a follower that hangs, and not of users, who notice nothing but time', async () => {
    await must(world.cli('route', 'set', `${world.slug}.pct.read`, '50'));
    await world.load.acknowledges(40);
    const started = performance.now();
    links.target.cut();
    const expected = ['CrossfadeFollowerBreakerOpen', 'CrossfadeTailLagging'];
    await fires(...expected);
    // Once the breaker is open there is nothing to fall back from; how long a turn hangs is the leader's matter.
    await onlyFired(started, ...expected, 'CrossfadeReadFallbacks', 'CrossfadeLeaderStuck', 'CrossfadeCopiesDropped');
    links.target.heal();
    await must(world.cli('route', 'reset', world.slug));
    await allQuiet();
  }, 180_000);

  test('tell of NATS that is gone, and not of users', async () => {
    const started = performance.now();
    process.kill(nats.pid, 'SIGKILL');
    natsIsGone = true;
    await fires('CrossfadeNoLeader', 'CrossfadeStoreDisconnected');
    await world.load.acknowledges(40);
    await startNatsAgain();
    await onlyFired(started, 'CrossfadeNoLeader', 'CrossfadeStoreDisconnected');
    await allQuiet();
  }, 180_000);

  test('tell of a switch that was given up because a member hung', async () => {
    await gateIsOpen();
    const { process: paused } = await follower();
    // Written as the command line does, and sooner than the gate can miss the member.
    const ask = { schema: 1, id: 'ask', action: 'advance', by: 'test', reason: '', at: '' };
    await withNats(nats.url, (connection) => {
      paused.signal('SIGSTOP');
      return kvPut(connection, world.slug, { key: keys.ask(world.slug), value: JSON.stringify(ask) });
    });
    await fires('CrossfadeSwitchGivenUp');
    paused.signal('SIGCONT');
    expect((await world.status()).phase).toBe('dual');
    await allQuiet();
  }, 180_000);

  test('tell of a document that the follower refuses', async () => {
    const { targetUrl } = await services();
    const mapping = { properties: { poison: { type: 'integer' } } };
    expect((await put(`/${world.slug}_v2/_mapping`, mapping, targetUrl)).status).toBe(200);
    const started = performance.now();
    expect((await put(`/${world.slug}/_doc/poison`, { poison: 'none' })).status).toBe(201);
    await fires('CrossfadeCopiesQuarantined');
    await onlyFired(started, 'CrossfadeCopiesQuarantined', mappedOnOneSide);
  }, 180_000);

  test('tell of a lost agent, and of nothing else while the others carry on', async () => {
    const started = performance.now();
    await world.kill(await follower());
    await fires('CrossfadeProcessDown');
    await world.load.acknowledges(40);
    await onlyFired(started, 'CrossfadeProcessDown', 'CrossfadeCopiesQuarantined', mappedOnOneSide);
  }, 180_000);

  test('page when the authority is gone and users notice', async () => {
    links.source.refuse();
    await fires('CrossfadeRequestsFailing');
  }, 180_000);
});
