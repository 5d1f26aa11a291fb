/**
 * A cluster of two nodes whose link can be cut in one direction: what the mortal node sends goes nowhere, while the lasting
 * one is answered. So a primary on the mortal node shows writes that no replica will ever hold, until the node is killed.
 */
import { rmSync } from 'node:fs';
import { freePort } from '../support/services/child.ts';
import { startOpenSearch } from '../support/services.ts';
import { call } from './documents.ts';
import { startTcpLink, type TcpLink } from './tcp-link.ts';

export type TwoNodes = {
  /** Leads the cluster and outlives the other one. */
  lastingUrl: string;
  mortalUrl: string;
  /** Of an index that is to be on the mortal node alone, until it is spread. */
  startsThere: Record<string, unknown>;
  /** Primaries stay where they are, replicas come to the lasting node. */
  spread(index: string): Promise<void>;
  link: TcpLink;
  kill(): void;
  stop(): Promise<void>;
};

const where = 'index.routing.allocation.require._name';

export const startTwoNodes = async (name: string): Promise<TwoNodes> => {
  const [lasting, mortal] = [`${name}-lasting`, `${name}-mortal`];
  const ports = [await freePort(), await freePort()] as const;
  const link = await startTcpLink({ host: '127.0.0.1', port: ports[0] });
  const settings = [
    `cluster.initial_cluster_manager_nodes: ["${lasting}"]`,
    `discovery.seed_hosts: ["127.0.0.1:${link.port}"]`,
    'cluster.routing.rebalance.enable: none',
  ];
  const lead = ['node.roles: [cluster_manager, data, ingest]', `transport.publish_port: ${link.port}`];
  const start = (node: string, transportPort: number, own: string[]) =>
    startOpenSearch({
      name: node,
      heapMb: 512,
      briefly: true,
      cluster: { name, transportPort, settings: [...settings, ...own] },
    });
  const [first, second] = await Promise.all([
    start(lasting, ports[0], lead),
    start(mortal, ports[1], ['node.roles: [data]']),
  ]);
  return {
    lastingUrl: first.url,
    mortalUrl: second.url,
    startsThere: { [where]: mortal, 'index.refresh_interval': '100ms' },
    spread: async (index) => {
      await call(`${first.url}/${index}/_settings`, 'PUT', { [where]: null, 'index.number_of_replicas': 1 });
      await call(`${first.url}/_cluster/health/${index}?wait_for_status=green&timeout=60s`, 'GET');
    },
    link,
    kill: () => void process.kill(second.pid, 'SIGKILL'),
    stop: async () => {
      link.close();
      await Promise.all([first.stop(), second.stop()]);
      // One that was killed left its data behind.
      rmSync(second.dir, { recursive: true, force: true });
    },
  };
};
