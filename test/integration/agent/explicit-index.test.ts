import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterControl, createClusterControl } from '../../../src/agent/cluster.ts';
import type { StampedWrite } from '../../../src/agent/copy-bulk.ts';
import { findMissing, probesFor, refusesExplicitIndex } from '../../../src/agent/preflight/privileges.ts';
import { systemRuntime } from '../../../src/agent/runtime.ts';
import { sendAll } from '../../../src/agent/send-all.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { freePort } from '../../support/services/child.ts';
import { startOpenSearch } from '../../support/services/opensearch.ts';
import { findJdk, findOnPath } from '../../support/services/prerequisites.ts';
import { testTransport } from '../../support/transport.ts';

const missing = findOnPath('mvn') !== undefined && (await findJdk()) !== undefined ? undefined : 'Maven or a JDK 21';

describe.skipIf(missing)(
  `a cluster that takes no index in the lines of a bulk${missing ? `: needs ${missing}` : ''}`,
  () => {
    let cluster: ClusterControl;
    let stop = async (): Promise<void> => undefined;
    const indices = ['a', 'b'];
    const aliasOf = (index: string) => `crossfade-explicit-${index}`;

    beforeAll(async () => {
      const settings = ['discovery.type: single-node', 'rest.action.multi.allow_explicit_index: false'];
      const own = { name: 'explicit', transportPort: await freePort(), settings };
      const node = await startOpenSearch({ name: 'explicit', heapMb: 512, briefly: true, cluster: own });
      stop = () => node.stop();
      cluster = createClusterControl(testTransport(node.url));
      for (const index of indices)
        await cluster.createIndex(index, { settings: { number_of_replicas: 0 }, aliases: { [aliasOf(index)]: {} } });
    });
    afterAll(() => stop());

    const writes = (op: 'index' | 'delete', count: number): StampedWrite[] =>
      Array.from({ length: count }, (_, i) => {
        const common = { alias: aliasOf(indices[i % 2] as string), id: `${i}`, routing: undefined };
        return op === 'index' ? { ...common, op, stamp: 5n, source: Buffer.from('{}') } : { ...common, op, stamp: 6n };
      });
    const sent = async (sending: StampedWrite[]) => {
      const { end, fates } = await sendAll(sending, { cluster, runtime: systemRuntime });
      expect(end).toBe('done');
      return [...new Set(fates.map((fate) => fate?.kind))];
    };
    const counts = async () => {
      for (const index of indices) await cluster.refresh(index);
      return Promise.all(indices.map((index) => cluster.count(index)));
    };

    it('gets the copies and the deletes of one index, and of several', async () => {
      expect(await sent(writes('index', 10))).toEqual(['applied']);
      expect(await counts()).toEqual([5, 5]);
      expect(await sent(writes('delete', 10).filter(({ alias }) => alias === aliasOf('a')))).toEqual(['applied']);
      expect(await counts()).toEqual([0, 5]);
      expect(await sent(writes('delete', 10))).toEqual(['superseded', 'applied']);
      expect(await counts()).toEqual([0, 0]);
    });

    it('is told by the preflight, which finds no right missing and changes nothing', async () => {
      const spec = RouteSpec.parse({
        route: 'p',
        indices: indices.map((name) => ({ source: name, target: `${name}2` })),
      });
      expect(await findMissing(cluster, probesFor(spec, 'source'))).toEqual([]);
      expect(await refusesExplicitIndex(cluster, 'a')).toBe(true);
      expect(await refusesExplicitIndex(cluster, 'absent')).toBe(true);
      expect(await cluster.getIndex('absent')).toBeUndefined();
    });
  },
);
