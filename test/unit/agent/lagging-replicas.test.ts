import { describe, expect, it } from 'vitest';
import type { ClusterControl } from '../../../src/agent/cluster.ts';
import { askingPrimaries, createLags } from '../../../src/agent/lagging-replicas.ts';
import { countProof } from '../../../src/agent/proof.ts';
import { beginSweep, sweepStep } from '../../../src/agent/sweep.ts';
import { engine } from './engine.ts';

/** An index that replicates by segments, of which only the primary has documents. */
const lagging = (cluster: ClusterControl): ClusterControl => ({
  ...cluster,
  within: () => lagging(cluster),
  getIndex: async (name, options) => {
    const info = await cluster.getIndex(name, options);
    return info && { ...info, segmentReplication: true };
  },
  mget: async (get) => (get.primary ? cluster.mget(get) : get.docs.map(() => ({ kind: 'absent' as const }))),
  source: async (get) => (get.primary ? cluster.source(get) : undefined),
  count: async (index, options) => (options?.primary ? cluster.count(index, options) : 0),
});

describe('an index whose replicas lag behind', () => {
  it('is swept and counted by its primaries', async () => {
    const made = engine();
    made.put('a', {});
    made.pair.target.storage.write({ op: 'index', index: 'p2', id: 'a', source: '{}' });
    const clock = { now: () => 0 };
    const { source, target } = made.io.clusters;
    const clusters = {
      source: askingPrimaries(lagging(source), createLags(clock)),
      target: askingPrimaries(lagging(target), createLags(clock)),
    };
    const io = { ...made.io, clusters };
    const begun = await beginSweep(io);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    expect(await sweepStep(begun.state, io)).toMatchObject({ kind: 'done', state: { removed: 0 } });
    expect(await countProof({ ...io, dropped: {} })).toMatchObject({ equal: true, counts: [{ authority: 1 }] });
    const within = clusters.source.within({ timeoutMs: () => 1 });
    expect(await within.count('p1')).toBe(1);
  });

  it('is asked once how it replicates, and again after a while', async () => {
    const { io } = engine();
    let nowMs = 0;
    let asked = 0;
    const counting: ClusterControl = {
      ...io.clusters.source,
      getIndex: (name, options) => {
        asked++;
        return io.clusters.source.getIndex(name, options);
      },
    };
    const cluster = askingPrimaries(counting, createLags({ now: () => nowMs }));
    for (let i = 0; i < 3; i++) await cluster.count('p1');
    expect(asked).toBe(1);
    nowMs = 600_000;
    await cluster.count('p1');
    expect(asked).toBe(2);
  });
});
