/**
 * Does a sick target reach the client through the shadow? Searches through Crossfade with every read compared, against
 * targets that are well, hung, slow, resetting, or answer with ten times as much; beside the same with no shadow at all.
 * By default no cluster works on the cores that Crossfade runs on, as in production: the source answers 3 KB after 5 ms
 * from a process of its own, the targets are stubs as well. What is in the figure: all that the sidecar does for a sample,
 * the load generator, and the few microseconds of the stubs. What is not: a real cluster that answers each search twice.
 * Just before each row is measured so is no shadow, each after two seconds of the same load: both figures and their ratio are
 * printed, medians over rounds. A second process without shadow has a row too, and the last ratio of each row is the one beside
 * it: the first process is measured before every row, so its code and memory are warmer than those of all others.
 * Also printed: resident memory, and how many samples were compared.
 * In the same run the rival: nginx that mirrors to the same targets, beside an nginx that does not, measured in the same way;
 * its last ratio is beside a second nginx that does not. What waits at the end for a mirror that hangs is in no p99: see req/s.
 * `node bench/shadow-isolation.ts [--check] [--source URL] [--target URL]`: with --check, exit 1 when a ratio is above
 * 1.05; --source takes a real cluster instead of the stub, --target one as the target that is well.
 */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { createServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from '../test/support/services/child.ts';
import { type Load, type LoadResult, runLoad } from './lib/load.ts';
import { residentMb } from './lib/process-cost.ts';
import { machine, median, type Report, table } from './lib/report.ts';
import { scrape } from './lib/scraped.ts';
import {
  needPrograms,
  searchAnswer,
  startCrossfade,
  startNginx,
  startNginxMirror,
  startSlowStub,
} from './lib/servers.ts';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);
const seconds = Number(process.env['BENCH_SECONDS'] ?? 4);
/** 20 connections that wait 50 ms each: about 400 requests a second, so that queues of our own making do not show. */
const pace = { connections: 20, pauseMs: 50 };
/** The compiler of V8 needs some ten thousand requests: else whoever is measured more often looks better. */
const warmUp = { connections: 32, seconds: 6 };
const search: Load = { method: 'POST', path: '/bench/_search', body: '{"query":{"match":{"name":"lamp"}},"size":10}' };
const slowMs = 2000;
/** What a search of a cluster takes that is well. */
const searchMs = 5;

const times = (hits: number): string => {
  const answer = JSON.parse(searchAnswer) as { hits: { hits: { _id: string }[] } };
  const many = Array.from({ length: hits }, (_, i) => ({ ...answer.hits.hits[i % 10], _id: String(i) }));
  return JSON.stringify({ ...answer, hits: { ...answer.hits, hits: many } });
};
const large = times(100);

const answer = (response: ServerResponse, body: string): void => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(body);
};
/** What a target does with a search. */
const targets: Readonly<Record<string, (response: ServerResponse) => void>> = {
  well: (response) => void setTimeout(() => answer(response, searchAnswer), searchMs),
  hung: () => undefined,
  slow: (response) => void setTimeout(() => answer(response, searchAnswer), slowMs),
  resetting: (response) => void response.socket?.resetAndDestroy(),
  'ten times larger': (response) => void setTimeout(() => answer(response, large), searchMs),
};

const startTarget = async (serve: (response: ServerResponse) => void): Promise<{ url: string; server: HttpServer }> => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => serve(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
};

type Contender = { name: string; server: Server & { adminUrl?: string } };
type Measure = LoadResult & { rssMb: number };
/** `beside` is no shadow, measured just before. */
type Pair = { own: Measure; beside: Measure };

/** Not measured: a process that others were measured for lets go of compiled code and of memory, and needs it back. */
const leadInSeconds = 2;

const run = async ({ name, server }: Contender, dir: string): Promise<Measure> => {
  await runLoad({ url: server.url, load: search, ...pace, seconds: leadInSeconds, dir });
  const result = await runLoad({ url: server.url, load: search, ...pace, seconds, dir });
  const isOurs = server.adminUrl !== undefined;
  // On a busy machine some take longer than the two seconds that wrk waits.
  if (isOurs && result.errors > result.requests / 20) throw new Error(`${name}: ${result.errors} failed requests`);
  return { ...result, rssMb: isOurs && server.pid !== undefined ? residentMb(server.pid) : Number.NaN };
};

const none = 'no shadow';
const noise = 'no shadow, again';

const given = (flag: string): string | undefined => {
  const at = process.argv.indexOf(`--${flag}`);
  return at < 0 ? undefined : process.argv[at + 1];
};

/** Over the whole run: `compared of sampled`. */
const comparedBy = async ({ server }: Contender): Promise<string> => {
  if (server.adminUrl === undefined) return 'nothing';
  const sum = await scrape(server.adminUrl);
  return `${sum('crossfade_shadow_compared_total')} of ${sum('crossfade_shadow_sampled_total')}`;
};

const measureAll = async (
  base: Contender,
  contenders: readonly Contender[],
  dir: string,
): Promise<Map<string, Pair[]>> => {
  for (const { server } of [base, ...contenders]) await runLoad({ url: server.url, load: search, ...warmUp, dir });
  const results = new Map<string, Pair[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // In turns forward and back, so that no contender always comes after the same one.
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const beside = await run(base, dir);
      results.get(contender.name)?.push({ beside, own: await run(contender, dir) });
    }
  }
  return results;
};

type Quantile = 'p50Ms' | 'p99Ms';
const ratio = (pairs: readonly Pair[], of: Quantile): number =>
  median(pairs.map(({ own, beside }) => own[of] / beside[of]));
const both = (pairs: readonly Pair[], of: Quantile): string =>
  [pairs.map(({ beside }) => beside[of]), pairs.map(({ own }) => own[of])]
    .map((values) => median(values).toFixed(2))
    .join(' → ');

/** Of nginx only the process that starts the others is known. */
const mostMb = (pairs: readonly Pair[]): string => {
  const most = Math.max(...pairs.map(({ own }) => own.rssMb));
  return Number.isNaN(most) ? '' : most.toFixed(0);
};

type Measured = { results: ReadonlyMap<string, readonly Pair[]>; compared: ReadonlyMap<string, string> };

const tableOf = ({ results, compared }: Measured) => {
  const baseline = ratio(results.get(noise) ?? [], 'p99Ms');
  const besideNoise = (pairs: readonly Pair[]): number => ratio(pairs, 'p99Ms') / baseline;
  const rows = [...results].map(([name, pairs]) => ({
    target: name,
    'req/s': median(pairs.map(({ own }) => own.perSecond)).toFixed(0),
    'p50 ms, none → this': both(pairs, 'p50Ms'),
    'p99 ms, none → this': both(pairs, 'p99Ms'),
    'p50 ratio': ratio(pairs, 'p50Ms').toFixed(2),
    'p99 ratio': ratio(pairs, 'p99Ms').toFixed(2),
    'beside the other without': besideNoise(pairs).toFixed(2),
    compared: compared.get(name) ?? '',
    failed: String(pairs.reduce((sum, { own }) => sum + own.errors, 0)),
    'RSS MB, most': mostMb(pairs),
  }));
  return { rows, ratios: [...results].map(([name, pairs]) => [name, Number(besideNoise(pairs).toFixed(3))] as const) };
};

const reportOf = (own: Measured, rival: Measured): Report => {
  const [crossfade, mirror] = [tableOf(own), tableOf(rival)];
  return {
    name: 'shadow-isolation',
    rows: [
      ...crossfade.rows.map((row) => ({ program: 'crossfade', ...row })),
      ...mirror.rows.map((row) => ({ program: 'nginx mirror', ...row })),
    ],
    ratios: Object.fromEntries([
      ...crossfade.ratios.map(([name, value]) => [`p99, ${name}`, value]),
      ...mirror.ratios.map(([name, value]) => [`nginx mirror p99, ${name}`, value]),
    ]),
    raw: { crossfade: Object.fromEntries(own.results), mirror: Object.fromEntries(rival.results) },
  };
};

/** Every contender beside the first one. */
const measure = async ([base, ...others]: readonly Contender[], dir: string): Promise<Measured> => {
  const results = await measureAll(base as Contender, others, dir);
  const compared = new Map<string, string>();
  for (const contender of others) compared.set(contender.name, await comparedBy(contender));
  return { results, compared };
};

/** Each nginx needs a folder of its own. */
const homeIn = (dir: string, name: string): string => {
  const home = join(dir, name.replaceAll(/\W+/g, '-'));
  mkdirSync(home, { recursive: true });
  return home;
};

export const benchShadowIsolation = async (): Promise<Report> => {
  needPrograms(['wrk', 'nginx']);
  const dir = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
  const [ownSource, ownTarget] = [given('source'), given('target')];
  const source = ownSource === undefined ? await startSlowStub('source', dir, searchMs) : undefined;
  const sick = await Promise.all(
    Object.entries(targets).map(async ([name, serve]) => ({ name, ...(await startTarget(serve)) })),
  );
  const sourceUrl = ownSource ?? source?.url ?? '';
  const crossfade = async (name: string, target: string, shadow: number): Promise<Contender> => ({
    name,
    server: await startCrossfade({
      name: name.replaceAll(/\W+/g, '-'),
      dir,
      source: sourceUrl,
      target,
      mode: { phase: 'dual', shadow },
    }),
  });
  const own: Contender[] = [];
  const rival: Contender[] = [];
  const urlOf = ({ name, url }: { name: string; url: string }): string => (name === 'well' ? (ownTarget ?? url) : url);
  try {
    for (const name of [none, noise]) own.push(await crossfade(name, sick[0]?.url ?? '', 0));
    for (const target of sick) own.push(await crossfade(target.name, urlOf(target), 100));
    for (const name of [none, noise])
      rival.push({ name, server: await startNginx(homeIn(dir, `nginx ${name}`), sourceUrl) });
    for (const target of sick) {
      const home = homeIn(dir, `mirror ${target.name}`);
      rival.push({ name: target.name, server: await startNginxMirror(home, sourceUrl, urlOf(target)) });
    }
    const report = reportOf(await measure(own, dir), await measure(rival, dir));
    process.stdout.write(`${table(report.rows)}\n${machine()}\n`);
    return report;
  } finally {
    await Promise.all([...[...own, ...rival].map(({ server }) => server.stop()), source?.stop()]);
    for (const { server } of sick) {
      server.closeAllConnections();
      server.close();
    }
  }
};

const tolerated = 1.05;
if (import.meta.main) {
  const { ratios } = await benchShadowIsolation();
  const own = Object.entries(ratios).filter(([name]) => !name.startsWith('nginx'));
  if (process.argv.includes('--check') && own.some(([, ratio]) => ratio > tolerated)) process.exitCode = 1;
}
