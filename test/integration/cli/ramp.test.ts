/**
 * A route that goes by itself, on real agents, clusters and NATS: two pods compare reads, the leader judges their sum and
 * raises the share of reads; documents vanish from the target, and all reads come home. Then the mismatches are read
 * without an agent, and one is run again. At last the target is slow, fails, and refuses a document, and each brings reads home.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SampleRecord } from '../../../src/compare/sample-record.ts';
import type { RouteStatus } from '../../../src/fleet/fleet-status.ts';
import { startTcpLink, type TcpLink } from '../../fault/tcp-link.ts';
import { type AgentProcess, crossfade, must, type Ran, startAgent, statusAt } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';
import { dropStreams } from '../coordination/nats-admin.ts';

const slug = uniqueName('ramp');
const bucket = uniqueName('ramp');
const [source, target] = [`${slug}_v1`, `${slug}_v2`];
const documents = 60;
const restMs = 50;
const folder = mkdtempSync(join(tmpdir(), 'crossfade-ramp-'));
let urls: Awaited<ReturnType<typeof services>>;
/** Between the agents and both clusters, so that only what is done to one of them makes it slower. */
let links: Record<'source' | 'target', TcpLink>;
let agents: AgentProcess[] = [];
let env: Record<string, string>;
let load: { stop(): Promise<void> } | undefined;

const cli = (...args: string[]): Promise<Ran> => crossfade(args, env);
const status = (): Promise<RouteStatus> => statusAt(agents[0]!, slug);
const post = async (base: string, path: string, body: unknown, method: 'POST' | 'PUT' = 'POST'): Promise<number> => {
  const answer = await fetch(`${base}${path}`, {
    method,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': typeof body === 'string' ? 'application/x-ndjson' : 'application/json' },
  });
  await answer.arrayBuffer();
  return answer.status;
};

/** The first documents as a bulk. */
const catalogue = (length: number): string =>
  Array.from(
    { length },
    (_, n) => `{"index":{"_id":"id-${n}"}}\n${JSON.stringify({ n, name: `lamp ${n}`, colour: 'brass' })}\n`,
  ).join('');

/** Limits that some hundred comparisons can prove or disprove; one in five may differ. */
const limits = Object.fromEntries(['S0', 'S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7'].map((name) => [name, 0.2]));
const route = {
  route: slug,
  indices: [{ source, target }],
  aliases: [slug],
  createTarget: true,
  targetMappings: { properties: { stock: { type: 'integer' } } },
  reads: { missingKey: 'random', key: ['header:x-user'] },
  shadow: {
    baselinePercent: 50,
    verdict: { minSamples: 60, minPairs: 20, limits },
    samples: { stream: true, replay: true, clearFields: ['colour'] },
  },
  auto: {
    ramp: { steps: [10, 50], dwellSeconds: 2 },
    rollback: { severity: 'S4', errorRatePercent: 10, latencyWorsePercent: 400, quarantined: 0 },
  },
};

/** Searches that every page of the catalogue answers, through both agents: enough to be judged by, and no whole core. */
const startLoad = (clientsPerAgent = 2): { stop(): Promise<void> } => {
  let running = true;
  const one = async (agent: AgentProcess): Promise<void> => {
    for (let i = 0; running; i++) {
      const query = { range: { n: { gte: i % 20 } } };
      await post(agent.url, `/${slug}/_search`, { size: 20, query, sort: [{ n: 'asc' }] });
      await delay(restMs);
    }
  };
  const running_ = agents.flatMap((agent) => Array.from({ length: clientsPerAgent }, () => one(agent)));
  return {
    stop: async () => {
      running = false;
      await Promise.all(running_);
    },
  };
};

beforeAll(async () => {
  urls = await services();
  env = { CROSSFADE_NATS_SERVERS: urls.natsUrl, CROSSFADE_NATS_BUCKET: bucket };
  const linkTo = (url: string) => startTcpLink({ host: new URL(url).hostname, port: Number(new URL(url).port) });
  links = { source: await linkTo(urls.sourceUrl), target: await linkTo(urls.targetUrl) };
  const settings = { number_of_replicas: 0, number_of_shards: 1 };
  await post(urls.sourceUrl, `/${source}`, { settings, aliases: { [slug]: {} } }, 'PUT');
  await post(urls.sourceUrl, `/${source}/_bulk?refresh=true`, catalogue(documents));
  const start = (member: string) =>
    startAgent({
      env: {
        ...env,
        CROSSFADE_MEMBER: member,
        CROSSFADE_CLUSTERS_SOURCE_URL: `http://127.0.0.1:${links.source.port}`,
        CROSSFADE_CLUSTERS_TARGET_URL: `http://127.0.0.1:${links.target.port}`,
      },
    });
  agents = await Promise.all([start('pod-0'), start('pod-1')]);
  const file = join(folder, 'route.json');
  writeFileSync(file, JSON.stringify(route));
  await must(cli('apply', '-f', file));
  await must(cli('phase', slug, 'dual'));
  await eventually(async () => (await status()).backfill?.state === 'done', {
    what: 'the backfill',
    timeoutMs: 60_000,
  });
}, 180_000);

type AutoEntry = { what: string; reason: string; evidence: { judged: RouteStatus['verdict'] } };
const autoEntries = async (): Promise<AutoEntry[]> => {
  const { entries } = JSON.parse((await cli('audit', slug, '--json')).out) as { entries: AutoEntry[] };
  return entries.filter(({ what }) => what.startsWith('auto:'));
};
/** By the leader's word: the brake of each member may be on before, and shows as no share in force. */
const untilHome = (what: string, timeoutMs: number): Promise<boolean> =>
  eventually(async () => (await status()).percentSet.read === 0, { what: `reads at home: ${what}`, timeoutMs });

/** What the agents complained about, when a test failed. */
afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const agent of agents)
    process.stderr.write(`${agent.pid} ${JSON.stringify(agent.log().filter(({ level }) => level >= 40))}\n`);
});

afterAll(async () => {
  await load?.stop();
  await Promise.all(agents.map((agent) => agent.stop()));
  for (const link of Object.values(links ?? {})) link.close();
  await fetch(`${urls.sourceUrl}/${source}`, { method: 'DELETE' });
  await fetch(`${urls.targetUrl}/${target}`, { method: 'DELETE' });
  await dropStreams(urls.natsUrl, bucket);
  rmSync(folder, { recursive: true, force: true });
});

describe('a route that goes by itself', () => {
  test('is raised to the last step on the verdict of both pods together', async () => {
    load = startLoad();
    await cli('route', 'set', `${slug}.pct.shadow`, '100');
    const raised = await eventually(
      async () => {
        const now = await status();
        return now.percent.read === 50 ? now : undefined;
      },
      { what: 'reads at 50 %', timeoutMs: 90_000 },
    );
    expect(raised.verdict).toMatchObject({ eValues: expect.any(Array), perShape: expect.any(Array) });
    const judged = await eventually(async () => {
      const { verdict } = await status();
      return verdict?.members === 2 && verdict.samples > 60 ? verdict : undefined;
    });
    expect(judged.eValues.map(({ severity }) => severity)).toEqual(Object.keys(limits));
  }, 120_000);

  test('comes home when documents vanish from the target, and the audit says by what evidence', async () => {
    await post(urls.targetUrl, `/${target}/_delete_by_query?refresh=true`, { query: { range: { n: { lt: 20 } } } });
    await untilHome('documents are missing', 120_000);
    const auto = await autoEntries();
    expect(auto.map(({ what }) => what)).toEqual([10, 50, 0].map((step) => `auto: pct.read ${step}`));
    expect(auto.at(-1)?.reason).toMatch(/mismatches of severity S[34]: S[34] in \d+\.\d\d % of comparisons/);
    expect(auto.at(-1)?.evidence.judged).toMatchObject({ verdict: 'rollback', members: expect.any(Number) });
  }, 180_000);

  test('keeps its mismatches where a laptop with access to NATS reads those of both pods', async () => {
    const listed = await eventually(
      async () => {
        const { discrepancies } = JSON.parse((await cli('discrepancies', slug, '--json')).out) as {
          discrepancies: SampleRecord[];
        };
        return new Set(discrepancies.map(({ member }) => member)).size === 2 ? discrepancies : undefined;
      },
      { what: 'samples of both pods', timeoutMs: 60_000 },
    );
    const sample = listed.find(({ severity }) => severity === 'S3' || severity === 'S4')!;
    const text = JSON.stringify(listed);
    expect(text).not.toContain('lamp');
    expect(text).not.toContain('id-1');
    expect(text).toContain('brass');
    const { out } = await cli('discrepancies', 'show', sample.id);
    expect(out).toMatch(new RegExp(`^${sample.id}  ${slug}  ${sample.severity}: `));
  }, 90_000);

  test('runs one of them again on both sides, as long as it differs and after it was put right', async () => {
    await load?.stop();
    // What a pod holds gives way to newer samples while re-checks still end: then a sample of what it holds now is taken.
    const { id, again } = await eventually(
      async () => {
        const { discrepancies } = JSON.parse((await cli('discrepancies', slug, '--pods', '--json')).out) as {
          discrepancies: SampleRecord[];
        };
        const { id } = discrepancies.find(({ severity }) => severity === 'S3' || severity === 'S4')!;
        const again = await cli('discrepancies', 'replay', id);
        return again.err.includes('No agent keeps') ? undefined : { id, again };
      },
      { what: 'a sample that its pod still holds', timeoutMs: 60_000 },
    );
    expect(again).toMatchObject({ exit: 11, out: expect.stringContaining('still S') });
    expect(again.out).not.toContain('lamp');
    await cli('route', 'set', `${slug}.pct.shadow`, '0');
    expect(await post(urls.targetUrl, `/${target}/_bulk?refresh=true`, catalogue(20))).toBe(200);
    expect(await cli('discrepancies', 'replay', id)).toMatchObject({ exit: 0, out: `${id}: equal now\n` });
  }, 120_000);

  /** Raises reads by hand, and waits until the target has been well for a while. */
  const standsWell = async (percent: number): Promise<void> => {
    // More than the places of shadow reads, so that samples are skipped once the target is slow.
    load = startLoad(16);
    await cli('route', 'set', `${slug}.pct.shadow`, '100');
    await cli('route', 'set', `${slug}.pct.read`, String(percent));
    const isWell = async () => {
      const { verdict, ...now } = await status();
      return now.percent.read === percent && (verdict?.latency?.pairs ?? 0) >= 300;
    };
    await eventually(isWell, { what: 'latencies of 300 pairs', timeoutMs: 60_000 });
  };

  test.each<[string, number, () => void, RegExp]>([
    [
      'answers late',
      70,
      () => links.target.delay(400),
      /^latency: answers are more than 400 % slower in \d+\.\d\d % of \d+ pairs.* in queries of the shape search /,
    ],
    // By whichever limit is passed first.
    ['is gone', 60, () => links.target.refuse(), /^the follower failed in \d|^mismatches of severity S0: S0 /],
  ])(
    'comes home within a minute when the target %s',
    async (_, percent, disturb, reason) => {
      await standsWell(percent);
      disturb();
      await untilHome(String(reason), 60_000);
      links.target.heal();
      await load?.stop();
      expect((await autoEntries()).at(-1)?.reason).toMatch(reason);
    },
    180_000,
  );

  test('comes home when the target refuses a document', async () => {
    await cli('route', 'set', `${slug}.pct.read`, '55');
    expect(await post(agents[0]!.url, `/${slug}/_doc/refused`, { stock: 'many' }, 'PUT')).toBe(201);
    await untilHome('a document is refused', 60_000);
    expect((await autoEntries()).at(-1)?.reason).toBe('1 copies are in quarantine');
  }, 90_000);
});
