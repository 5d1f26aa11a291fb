/**
 * Switches of authority in a row under load: three agents, writers that never pause, cutover and rollback in turns. Prints
 * the clients' longest write wait of each switch (median, worst), failed requests, and what was lost or brought back.
 * `node bench/cutover.ts [--switches 30] [--writesPerSecond 300]`; services as in the tests.
 *
 * What counts as the wait of a switch: the longest of all writes that were under way at any moment from the leader's first
 * step (aliases and refreshes, before the hold) until a second after its last (the fence of the old side, after the
 * commit), by the leader's own report. The same is asked of a stretch of equal length shortly before, without a switch,
 * for what the machine does to writes by itself. A migration meets clusters that have been at work for long, so both
 * clusters and all agents are warmed up first, and the route is rehearsed as operators are told to.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { CutoverReport } from '../src/coordination/job-status.ts';
import { type AgentProcess, crossfade, startAgent } from '../test/support/agent-process.ts';
import { startServices } from '../test/support/services/start.ts';
import { keepReport, machine, median, table } from './lib/report.ts';
import { type RouteAdmin, routeAdmin } from './lib/route-admin.ts';
import { startSteadyWriters, type SteadyWriters } from './lib/steady-writers.ts';

const { values } = parseArgs({
  options: { switches: { type: 'string', default: '30' }, writesPerSecond: { type: 'string', default: '300' } },
});
const switches = Number(values.switches);
const perSecond = Number(values.writesPerSecond);
const slug = `cutover-${process.pid}`;
const names = { source: `${slug}-v1`, target: `${slug}-v2` };
const warmIndex = `${slug}-warm`;
const warmWrites = 10_000;
const mostWarmMs = 120_000;
const restMs = 1000;
const services = await startServices({ onProgress: (message) => process.stdout.write(`${message}\n`) });
const clusterUrls = [services.sourceUrl, services.targetUrl];

const call = async (url: string, method: 'GET' | 'PUT' | 'POST' | 'DELETE', body?: unknown): Promise<unknown> => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return answer.json();
};

const env = {
  CROSSFADE_CLUSTERS_SOURCE_URL: services.sourceUrl,
  CROSSFADE_CLUSTERS_TARGET_URL: services.targetUrl,
  CROSSFADE_NATS_SERVERS: services.natsUrl,
  CROSSFADE_NATS_BUCKET: slug,
};
const cli = async (...args: string[]): Promise<void> => {
  const ran = await crossfade(args, env);
  if (ran.exit !== 0) throw new Error(`crossfade ${args.join(' ')}: exit ${ran.exit}: ${ran.out}${ran.err}`);
};

const settings = { settings: { number_of_shards: 1, number_of_replicas: 0 } };

/** Single writes straight to both clusters, in an index of its own, until their compilers have seen enough of them. */
const warmClusters = async (): Promise<void> => {
  for (const url of clusterUrls) await call(`${url}/${warmIndex}`, 'PUT', settings);
  const options = { index: warmIndex, writersPerUrl: 6, perSecond: 2000 };
  const writers = startSteadyWriters({ ...options, urls: clusterUrls });
  for (let ms = 0; ms < mostWarmMs && writers.sent < clusterUrls.length * warmWrites; ms += 100) await delay(100);
  await writers.stop();
  for (const url of clusterUrls) await call(`${url}/${warmIndex}`, 'DELETE');
};

const documents = async (url: string, index: string): Promise<Map<string, number>> => {
  await call(`${url}/${index}/_refresh`, 'POST');
  const body = await call(`${url}/${index}/_search?size=10000`, 'GET');
  const { hits } = (body as { hits: { hits: { _id: string; _source: { n: number } }[] } }).hits;
  return new Map(hits.map(({ _id, _source }) => [_id, _source.n]));
};

/** Both sides once they are equal; after a minute as they are. */
const atRest = async () => {
  for (let waited = 0; ; waited += 1000) {
    const source = await documents(services.sourceUrl, names.source);
    const target = await documents(services.targetUrl, names.target);
    const ids = new Set([...source.keys(), ...target.keys()]);
    const different = [...ids].filter((id) => source.get(id) !== target.get(id)).length;
    if (different === 0 || waited >= 60_000) return { source, target, different };
    await delay(1000);
  }
};

const sum = (stepsMs: CutoverReport['stepsMs'], steps: readonly string[]): number =>
  steps.reduce((total, step) => total + (stepsMs[step] ?? 0), 0);

type Row = {
  kind: string;
  path: string;
  clientMs: number;
  /** When the longest write began, counted from the hold. */
  beganMs: number;
  /** The longest write of as long a time without a switch. */
  quietMs: number;
  pauseMs: number;
  stepsMs: Record<string, number>;
};

const rounded = (stepsMs: CutoverReport['stepsMs']): Record<string, number> =>
  Object.fromEntries(Object.entries(stepsMs).map(([step, ms]) => [step, Math.round(ms)]));

const measure = (writers: SteadyWriters, report: CutoverReport): Row => {
  const { at, kind, path = '', pauseMs = Number.NaN, stepsMs } = report;
  const fromMs = Date.parse(at);
  const heldMs = fromMs + sum(stepsMs, ['prepare']);
  const lastsMs = sum(stepsMs, ['prepare', 'settle']) + pauseMs + restMs;
  const longest = writers.longestWait(fromMs, fromMs + lastsMs);
  const quiet = writers.longestWait(fromMs - lastsMs - restMs, fromMs - restMs);
  return {
    kind,
    path,
    clientMs: Math.round(longest.ms),
    beganMs: Math.round(longest.beganMs - heldMs),
    quietMs: Math.round(quiet.ms),
    pauseMs: Math.round(pauseMs),
    stepsMs: rounded(stepsMs),
  };
};

/** Where the time goes: a step that only some switches have counts for those. */
const stepMedians = (rows: readonly Row[]): Record<string, string> => {
  const steps = [...new Set(rows.flatMap(({ stepsMs }) => Object.keys(stepsMs)))];
  const timesOf = (step: string): number[] => rows.flatMap(({ stepsMs }) => stepsMs[step] ?? []);
  return Object.fromEntries(steps.map((step) => [`${step}, median ms`, String(median(timesOf(step)))]));
};

const switchOnce = async (admin: RouteAdmin, forward: boolean): Promise<CutoverReport> => {
  await admin.until(({ safeToAdvance, safeToRollBack }) => (forward ? safeToAdvance : safeToRollBack).ok, 'safe');
  // The stretch without a switch must not reach into the one before.
  await delay(3 * restMs);
  const before = (await admin.status()).lastCutover?.at;
  await admin.ask(forward ? 'advance' : 'rollback');
  await delay(2 * restMs);
  const { lastCutover } = await admin.until(
    ({ phase, lastCutover: last }) => phase === (forward ? 'target' : 'dual') && last?.at !== before,
    'the report of the switch',
  );
  return lastCutover as CutoverReport;
};

const agents: AgentProcess[] = [];
try {
  await warmClusters();
  await call(`${services.sourceUrl}/${names.source}`, 'PUT', { ...settings, aliases: { [slug]: {} } });
  await call(`${services.targetUrl}/${names.target}`, 'PUT', settings);
  for (let i = 0; i < 3; i++) agents.push(await startAgent({ env: { ...env, CROSSFADE_MEMBER: `agent-${i}` } }));
  const file = join(mkdtempSync(join(tmpdir(), 'crossfade-bench-')), 'route.json');
  writeFileSync(file, JSON.stringify({ route: slug, indices: [names], aliases: [slug] }));
  await cli('apply', '-f', file);
  await cli('phase', slug, 'dual');
  const admin = routeAdmin(agents[0]?.adminUrl ?? '', slug);
  const writers = startSteadyWriters({ urls: agents.map(({ url }) => url), index: slug, writersPerUrl: 4, perSecond });
  await admin.until(({ safeToAdvance }) => safeToAdvance.ok && writers.sent >= warmWrites, 'warm agents');
  await admin.ask('advance', { rehearse: true });
  const reports: CutoverReport[] = [];
  for (let n = 0; n < switches; n++) {
    const report = await switchOnce(admin, n % 2 === 0);
    reports.push(report);
    const { kind, path, pauseMs } = report;
    process.stdout.write(
      `${n + 1}: ${JSON.stringify({ kind, path, pauseMs })} failed ${writers.failed} of ${writers.sent}\n`,
    );
  }
  await writers.stop();
  // Only now has every write ended: one that a switch held for long would be missing before.
  const rows = reports.map((report) => measure(writers, report));
  for (const [n, row] of rows.entries()) process.stdout.write(`${n + 1}: ${JSON.stringify(row)}\n`);
  const { source, target, different } = await atRest();
  const lost = [...writers.last].filter(([id, n]) => n !== undefined && source.get(id) !== n).length;
  const resurrected = [...writers.last].filter(([id, n]) => n === undefined && source.has(id)).length;
  if (target.size === 0) throw new Error('the target is empty');
  const client = rows.map(({ clientMs }) => clientMs);
  const row = {
    switches: String(rows.length),
    writes: String(writers.sent),
    'failed requests': String(writers.failed),
    lost: String(lost),
    resurrected: String(resurrected),
    'different at rest': String(different),
    'longest wait, median ms (<100)': median(client).toFixed(0),
    'worst ms (<500)': Math.max(...client).toFixed(0),
    'without a switch, median ms': median(rows.map(({ quietMs }) => quietMs)).toFixed(0),
    'pause, median ms': median(rows.map(({ pauseMs }) => pauseMs)).toFixed(0),
    'fast path': String(rows.filter(({ path }) => path === 'fast').length),
  };
  process.stdout.write(`${table([row])}\n${table([stepMedians(rows)])}\n${machine()}\n`);
  process.stdout.write(`kept in ${keepReport({ name: 'cutover', rows: [row], ratios: {}, raw: rows })}\n`);
  process.exitCode = lost + resurrected + different + writers.failed === 0 ? 0 : 1;
} finally {
  await Promise.all(agents.map((agent) => agent.stop()));
  await Promise.all(
    [
      [services.sourceUrl, names.source],
      [services.targetUrl, names.target],
    ].map(([url, index]) => call(`${url}/${index}`, 'DELETE')),
  );
  await services.stop();
}
process.exit();
