/**
 * Switches of authority in a row under load: three agents, writers that never pause, cutover and rollback in turns. Prints
 * the clients' longest write wait of each switch (median, worst), failed requests, and what was lost or brought back.
 * `node bench/cutover.ts [--switches 30] [--writesPerSecond 300]`; services as in the tests.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { type AgentProcess, crossfade, startAgent } from '../test/support/agent-process.ts';
import { startServices } from '../test/support/services/start.ts';
import { keepReport, machine, median, table } from './lib/report.ts';

const { values } = parseArgs({
  options: { switches: { type: 'string', default: '30' }, writesPerSecond: { type: 'string', default: '300' } },
});
const switches = Number(values.switches);
const slug = `cutover-${process.pid}`;
const names = { source: `${slug}-v1`, target: `${slug}-v2` };
const services = await startServices({ onProgress: (message) => process.stdout.write(`${message}\n`) });
const dispatcher = new Agent({ connections: 32 });

const call = async (url: string, method: 'GET' | 'PUT' | 'POST' | 'DELETE', body?: unknown) => {
  const answer = await request(url, {
    method,
    dispatcher,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: (await answer.body.json()) as Record<string, unknown> };
};

type Writes = { last: Map<string, number | undefined>; failed: number; sent: number; longestMs: number };
const writes: Writes = { last: new Map(), failed: 0, sent: 0, longestMs: 0 };
let running = true;

/** Each writer owns its ids, so the last acknowledged write of a document is known. */
const writer = async (url: string, writer: number, everyMs: number): Promise<void> => {
  let next = performance.now();
  for (let n = 0; running; n++) {
    const id = `w${writer}-${n % 40}`;
    const remove = n % 10 === 9;
    const from = performance.now();
    const { status } = await call(
      `${url}/${slug}/_doc/${id}`,
      remove ? 'DELETE' : 'PUT',
      remove ? undefined : { n },
    ).catch(() => ({ status: 0 }));
    writes.longestMs = Math.max(writes.longestMs, performance.now() - from);
    writes.sent++;
    const ok = status === 200 || status === 201 || (remove && status === 404);
    if (ok) writes.last.set(id, remove ? undefined : n);
    else {
      writes.failed++;
      writes.last.delete(id);
    }
    next = Math.max(next + everyMs, performance.now());
    await delay(Math.max(0, next - performance.now()));
  }
};

const env = {
  CROSSFADE_CLUSTERS_SOURCE_URL: services.sourceUrl,
  CROSSFADE_CLUSTERS_TARGET_URL: services.targetUrl,
  CROSSFADE_NATS_SERVERS: services.natsUrl,
  CROSSFADE_NATS_BUCKET: slug,
};
const cli = async (...args: string[]): Promise<string> => {
  const ran = await crossfade(args, env);
  if (ran.exit !== 0) throw new Error(`crossfade ${args.join(' ')}: exit ${ran.exit}: ${ran.out}${ran.err}`);
  return ran.out;
};
type Status = {
  phase: string;
  safeToAdvance: { ok: boolean };
  safeToRollBack: { ok: boolean };
  lastCutover: { at: string; path?: string; pauseMs?: number };
};
const status = async (): Promise<Status> => JSON.parse(await cli('status', slug, '--json')) as Status;
const until = async (holds: (now: Status) => boolean, what: string): Promise<Status> => {
  for (let waited = 0; waited < 120_000; waited += 500) {
    const now = await status();
    if (holds(now)) return now;
    await delay(500);
  }
  throw new Error(`${what} did not come true`);
};

const documents = async (url: string, index: string): Promise<Map<string, number>> => {
  await call(`${url}/${index}/_refresh`, 'POST');
  const { body } = await call(`${url}/${index}/_search?size=10000`, 'GET');
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

const agents: AgentProcess[] = [];
try {
  const settings = { settings: { number_of_shards: 1, number_of_replicas: 0 } };
  await call(`${services.sourceUrl}/${names.source}`, 'PUT', { ...settings, aliases: { [slug]: {} } });
  await call(`${services.targetUrl}/${names.target}`, 'PUT', settings);
  for (let i = 0; i < 3; i++) agents.push(await startAgent({ env: { ...env, CROSSFADE_MEMBER: `agent-${i}` } }));
  const file = join(mkdtempSync(join(tmpdir(), 'crossfade-bench-')), 'route.json');
  writeFileSync(file, JSON.stringify({ route: slug, indices: [names], aliases: [slug] }));
  await cli('apply', '-f', file);
  await cli('phase', slug, 'dual');
  const perAgent = 4;
  const everyMs = (1000 * perAgent * agents.length) / Number(values.writesPerSecond);
  const load = agents.flatMap(({ url }, a) =>
    Array.from({ length: perAgent }, (_, w) => writer(url, a * perAgent + w, everyMs)),
  );
  const waits: { kind: string; clientMs: number; pauseMs: number; path: string }[] = [];
  for (let n = 0; n < switches; n++) {
    const forward = n % 2 === 0;
    await until((now) => (forward ? now.safeToAdvance : now.safeToRollBack).ok, 'safe to switch');
    writes.longestMs = 0;
    await cli(forward ? 'advance' : 'rollback', slug, '--wait', '--yes');
    await delay(500);
    const now = await until(({ phase }) => phase === (forward ? 'target' : 'dual'), 'the other phase');
    const clientMs = writes.longestMs;
    waits.push({
      kind: forward ? 'cutover' : 'rollback',
      clientMs,
      pauseMs: now.lastCutover.pauseMs ?? Number.NaN,
      path: now.lastCutover.path ?? '',
    });
    process.stdout.write(`${n + 1}: ${JSON.stringify(waits.at(-1))} failed ${writes.failed} of ${writes.sent}\n`);
  }
  running = false;
  await Promise.all(load);
  const { source, target, different } = await atRest();
  const lost = [...writes.last].filter(([id, n]) => n !== undefined && source.get(id) !== n).length;
  const resurrected = [...writes.last].filter(([id, n]) => n === undefined && source.has(id)).length;
  if (target.size === 0) throw new Error('the target is empty');
  const client = waits.map(({ clientMs }) => clientMs);
  const row = {
    switches: String(waits.length),
    writes: String(writes.sent),
    'failed requests': String(writes.failed),
    lost: String(lost),
    resurrected: String(resurrected),
    'different at rest': String(different),
    'longest wait, median ms (<100)': median(client).toFixed(0),
    'worst ms (<500)': Math.max(...client).toFixed(0),
    'pause, median ms': median(waits.map(({ pauseMs }) => pauseMs)).toFixed(0),
    'fast path': String(waits.filter(({ path }) => path === 'fast').length),
  };
  process.stdout.write(`${table([row])}\n${machine()}\n`);
  process.stdout.write(`kept in ${keepReport({ name: 'cutover', rows: [row], ratios: {}, raw: waits })}\n`);
  process.exitCode = lost + resurrected + different + writes.failed === 0 ? 0 : 1;
} finally {
  running = false;
  await Promise.all(agents.map((agent) => agent.stop()));
  await Promise.all([
    call(`${services.sourceUrl}/${names.source}`, 'DELETE'),
    call(`${services.targetUrl}/${names.target}`, 'DELETE'),
  ]);
  await services.stop();
}
process.exit();
