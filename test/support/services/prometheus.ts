/**
 * A real Prometheus with promtool: from CROSSFADE_TEST_PROMETHEUS (a folder that holds both), the PATH, the cache, or the
 * Debian package `prometheus`, unpacked into the cache and installed nowhere. Elsewhere there may be none, and the tests
 * that need it are skipped where everybody sees it.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort, type Server, startServer } from './child.ts';
import { cacheDir, keepInCache } from './cache.ts';
import { findOnPath, run } from './prerequisites.ts';

export type PrometheusTools = { prometheus: string; promtool: string };

const toolsIn = (folder: string | undefined): PrometheusTools | undefined => {
  if (folder === undefined) return undefined;
  const tools = { prometheus: join(folder, 'prometheus'), promtool: join(folder, 'promtool') };
  return existsSync(tools.prometheus) && existsSync(tools.promtool) ? tools : undefined;
};

const onPath = (): PrometheusTools | undefined => {
  const found = findOnPath('promtool');
  return found === undefined ? undefined : toolsIn(dirname(found));
};

/** Lists of its own, so that neither root nor the system's lists are needed. */
const fetchInto = (home: string): Promise<void> =>
  keepInCache(home, async (staging) => {
    for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(staging, folder), { recursive: true });
    const places = { 'Dir::State::lists': join(staging, 'lists'), 'Dir::Cache': staging, 'APT::Sandbox::User': 'root' };
    const options = Object.entries(places).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const apt = (...args: string[]) => run('apt-get', [...options, '-qq', ...args], { cwd: staging, timeout: 120_000 });
    await apt('update');
    await apt('download', 'prometheus');
    const packed = readdirSync(staging).find((name) => name.endsWith('.deb')) ?? '';
    await run('dpkg-deb', ['-x', packed, 'unpacked'], { cwd: staging });
    return join(staging, 'unpacked');
  });

/** Undefined where it can be neither found nor fetched. */
export const prometheusTools = async (): Promise<PrometheusTools | undefined> => {
  const home = join(cacheDir(), 'prometheus-debian');
  const bin = join(home, 'usr/bin');
  const given = toolsIn(process.env['CROSSFADE_TEST_PROMETHEUS']) ?? onPath() ?? toolsIn(bin);
  if (given !== undefined || findOnPath('apt-get') === undefined) return given;
  await fetchInto(home).catch(() => undefined);
  return toolsIn(bin);
};

export type PrometheusOptions = {
  tools: PrometheusTools;
  /** The text of a rule file. */
  rules: string;
  /** host:port of each process to scrape. */
  targets: readonly string[];
  everySeconds: number;
};

/** Scrapes and evaluates every `everySeconds`; keeps its data in a folder of its own. */
export const startPrometheus = async ({ tools, rules, targets, everySeconds }: PrometheusOptions): Promise<Server> => {
  const dir = mkdtempSync(join(tmpdir(), 'crossfade-prometheus-'));
  const every = `${everySeconds}s`;
  writeFileSync(join(dir, 'rules.yaml'), rules);
  const config = {
    global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'crossfade', static_configs: [{ targets }] }],
  };
  writeFileSync(join(dir, 'prometheus.yml'), JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const server = await startServer({
    name: 'Prometheus',
    command: tools.prometheus,
    args: [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=${address}`,
    ],
    logFile: join(dir, 'prometheus.log'),
    url,
    isUp: async () => (await fetch(`${url}/-/ready`)).ok,
    timeoutMs: 30_000,
  });
  return {
    ...server,
    stop: async () => {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
};
