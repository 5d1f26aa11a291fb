/**
 * Fetches into the cache what integration tests start, for whoever has time before the tests do. Tells what it is at, and
 * fails never: a test that misses something tries itself, and says what it would need.
 */
import { oldClusterHome, oldClusters } from './embedded.ts';
import { kubernetesTools } from './kubernetes-tools.ts';
import { natsServerBinary } from './nats.ts';
import { distribution } from './opensearch.ts';
import { findJdk } from './prerequisites.ts';
import { prometheusTools } from './prometheus.ts';
import { whyNoSecured } from './secured.ts';

// What is under way leaves nothing behind.
process.once('SIGTERM', () => process.exit(1));

const jdk = await findJdk();
const ofJava: [string, () => Promise<unknown>][] =
  jdk === undefined
    ? []
    : [
        ['OpenSearch', () => distribution(jdk)],
        ...oldClusters.map((cluster): [string, () => Promise<unknown>] => [
          cluster,
          () => oldClusterHome(jdk, cluster),
        ]),
      ];
const all: [string, () => Promise<unknown>][] = [
  ...ofJava,
  ['NATS', natsServerBinary],
  ['the security plugin', whyNoSecured],
  ['Prometheus', prometheusTools],
  ['helm and kubectl', kubernetesTools],
];
for (const [name, fetchOne] of all) {
  process.stdout.write(`${name}\n`);
  await fetchOne().catch(() => undefined);
}
