/** The same services as containers, for machines with an engine and no JDK, Maven or Go. */
import { GenericContainer, Wait } from 'testcontainers';
import { natsVersion } from './nats.ts';
import { openSearchVersion } from './opensearch.ts';

type Running = { url: string; stop(): Promise<void> };

export const openSearchContainer = async (): Promise<Running> => {
  const container = await new GenericContainer(`opensearchproject/opensearch:${openSearchVersion}`)
    .withEnvironment({
      'discovery.type': 'single-node',
      DISABLE_SECURITY_PLUGIN: 'true',
      DISABLE_INSTALL_DEMO_CONFIG: 'true',
      OPENSEARCH_JAVA_OPTS: '-Xms768m -Xmx768m',
      'cluster.routing.allocation.disk.threshold_enabled': 'false',
    })
    .withExposedPorts(9200)
    .withWaitStrategy(Wait.forHttp('/_cluster/health?wait_for_status=yellow&timeout=1s', 9200))
    .withStartupTimeout(180_000)
    .start();
  return {
    url: `http://${container.getHost()}:${container.getMappedPort(9200)}`,
    stop: () => container.stop().then(() => undefined),
  };
};

export const natsContainer = async (): Promise<Running> => {
  const container = await new GenericContainer(`nats:${natsVersion}`)
    .withCommand(['-js'])
    .withExposedPorts(4222)
    .withWaitStrategy(Wait.forLogMessage(/Server is ready/))
    .start();
  return {
    url: `nats://${container.getHost()}:${container.getMappedPort(4222)}`,
    stop: () => container.stop().then(() => undefined),
  };
};
