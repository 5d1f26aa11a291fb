/**
 * Fetches into the cache what integration tests start, for whoever has time before the tests do. Tells nothing and fails
 * never: a test that misses something tries itself, and says what it would need.
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
const ofJava =
  jdk === undefined
    ? []
    : [() => distribution(jdk), ...oldClusters.map((cluster) => () => oldClusterHome(jdk, cluster))];
const all: (() => Promise<unknown>)[] = [...ofJava, natsServerBinary, whyNoSecured, prometheusTools, kubernetesTools];
for (const fetchOne of all) await fetchOne().catch(() => undefined);
