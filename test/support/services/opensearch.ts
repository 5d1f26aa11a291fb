/**
 * A real OpenSearch on this machine: the full distribution from its Maven coordinates, unpacked once into the cache,
 * started with own config, data and logs per node. Root hands the process to an unprivileged account.
 */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type Server, startServer } from './child.ts';
import { cacheDir, keepInCache } from './cache.ts';
import { findJdk, findOnPath, isRoot, MissingPrerequisite, nobody, run } from './prerequisites.ts';

export const openSearchVersion = '3.8.0';

const unpack = async (jdk: string, into: string): Promise<void> => {
  if (findOnPath('mvn') === undefined)
    throw new MissingPrerequisite(
      'Maven is needed to fetch OpenSearch: install it (for example `apt install maven`), or start Docker, or set CROSSFADE_TEST_SOURCE_URL and CROSSFADE_TEST_TARGET_URL.',
    );
  const artifact = `org.opensearch.distribution.integ-test-zip:opensearch:${openSearchVersion}:zip`;
  await keepInCache(into, async (staging) => {
    const copy = ['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${staging}`];
    await run('mvn', ['-q', '-B', ...copy], { cwd: staging });
    const zip = readdirSync(staging).find((name) => name.endsWith('.zip'));
    if (zip === undefined) throw new Error('Maven did not deliver the OpenSearch distribution');
    await run(join(jdk, 'bin', 'jar'), ['-xf', zip], { cwd: staging });
    const home = join(staging, `opensearch-${openSearchVersion}`);
    for (const name of readdirSync(join(home, 'bin'))) chmodSync(join(home, 'bin', name), 0o755);
    return home;
  });
};

let unpacking: Promise<void> | undefined;
export const distribution = async (jdk: string): Promise<string> => {
  const home = join(cacheDir(), `opensearch-${openSearchVersion}`);
  // Two clusters start side by side.
  if (!existsSync(home)) await (unpacking ??= unpack(jdk, home));
  return home;
};

type Ports = { http: number; transport: number };

const settings = (dir: string, { http, transport }: Ports, { name, cluster, variant }: OpenSearchOptions): string =>
  [
    `cluster.name: crossfade-${cluster?.name ?? name}`,
    `node.name: ${name}`,
    `path.data: ${dir}/data`,
    `path.logs: ${dir}/logs`,
    `path.repo: ${dir}/repo`,
    'network.host: 127.0.0.1',
    `http.port: ${http}`,
    `transport.port: ${transport}`,
    ...(cluster?.settings ?? ['discovery.type: single-node']),
    'cluster.routing.allocation.disk.threshold_enabled: false',
    'node.store.allow_mmap: false',
    'reindex.remote.allowlist: ["127.0.0.1:*"]',
    ...(variant?.lines ?? []),
    '',
  ].join('\n');

/** The packaged JVM options write their logs into the distribution, which several nodes share. */
const ofDistribution = /logs\/|HeapDump/;
/** It guards against plugins, looks at the stack at each file and socket, and took a quarter of the CPU time. */
const guard = /-javaagent:/;

const dropOptions = (file: string, dropped: readonly RegExp[]): void => {
  const lines = readFileSync(file, 'utf8').split('\n');
  writeFileSync(file, lines.filter((line) => !dropped.some((pattern) => pattern.test(line))).join('\n'));
};

/** Without the slower compiler a node is up after half the CPU time. The server asks for classes of the guard all the same. */
const briefOptions = (home: string): string => {
  const jars = readdirSync(join(home, 'agent')).filter((name) => name.includes('bootstrap'));
  return ` -XX:TieredStopAtLevel=1 -Xbootclasspath/a:${jars.map((name) => join(home, 'agent', name)).join(':')}`;
};

const giveAway = (path: string): void => {
  chownSync(path, nobody, nobody);
};

/** Another distribution than the plain one. */
export type Variant = {
  home: string;
  /** Of opensearch.yml. */
  lines: readonly string[];
  scheme: string;
  prepare(configDir: string): void;
  isUp(url: string): Promise<boolean>;
};
export type OpenSearchOptions = {
  name: string;
  port?: number;
  heapMb?: number;
  dir?: string;
  /** For tests: what lives for minutes and holds nothing dear takes less CPU time than it does by default. */
  briefly?: true;
  /** Of a node that does not stand alone: what it shares with the others, its own transport port, how it finds them. */
  cluster?: { name: string; transportPort: number; settings: readonly string[] };
  variant?: Variant;
};

const answersHealth = async (url: string): Promise<boolean> =>
  (await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`)).ok;

/** Starts one node, a cluster of its own if nothing else is said; `dir` given again restarts on the same data. */
export const startOpenSearch = async (options: OpenSearchOptions): Promise<Server & { dir: string }> => {
  const jdk = await findJdk();
  if (jdk === undefined)
    throw new MissingPrerequisite(
      'A JDK 21 or later is needed to run OpenSearch: install one and set JAVA_HOME, or start Docker.',
    );
  const { variant } = options;
  const home = variant?.home ?? (await distribution(jdk));
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), `crossfade-${options.name}-`));
  const ports = {
    http: options.port ?? (await freePort()),
    transport: options.cluster?.transportPort ?? (await freePort()),
  };
  for (const sub of ['data', 'logs', 'repo']) mkdirSync(join(dir, sub), { recursive: true });
  cpSync(join(home, 'config'), join(dir, 'config'), { recursive: true });
  writeFileSync(join(dir, 'config', 'opensearch.yml'), settings(dir, ports, options));
  dropOptions(join(dir, 'config', 'jvm.options'), options.briefly ? [ofDistribution, guard] : [ofDistribution]);
  variant?.prepare(join(dir, 'config'));
  if (isRoot()) {
    for (const path of [dir, ...['data', 'logs', 'repo', 'config'].map((sub) => join(dir, sub))]) giveAway(path);
    for (const name of readdirSync(join(dir, 'config'), { recursive: true, encoding: 'utf8' }))
      giveAway(join(dir, 'config', name));
  }
  const heap = `${options.heapMb ?? 768}m`;
  const url = `${variant?.scheme ?? 'http'}://127.0.0.1:${ports.http}`;
  const server = await startServer({
    name: `OpenSearch ${options.name}`,
    command: 'bash',
    args: [join(home, 'bin', 'opensearch')],
    options: {
      cwd: dir,
      env: {
        PATH: process.env['PATH'],
        HOME: dir,
        OPENSEARCH_JAVA_HOME: jdk,
        OPENSEARCH_PATH_CONF: join(dir, 'config'),
        OPENSEARCH_JAVA_OPTS: `-Xms${heap} -Xmx${heap}${options.briefly ? briefOptions(home) : ''}`,
      },
      ...(isRoot() ? { uid: nobody, gid: nobody } : {}),
    },
    logFile: join(dir, 'server.log'),
    scratchDir: options.dir === undefined ? dir : undefined,
    url,
    isUp: () => (variant?.isUp ?? answersHealth)(url),
    timeoutMs: 180_000,
  });
  return { ...server, dir };
};
