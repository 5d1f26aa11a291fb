import { describe, expect, it } from 'vitest';
import type { ClusterControl } from '../../../src/agent/cluster.ts';
import type { MultiGet } from '../../../src/agent/document-calls.ts';
import { takePosition } from '../../../src/agent/positions.ts';
import { repairIds } from '../../../src/agent/repair.ts';
import { beginSweep, sweepStep } from '../../../src/agent/sweep.ts';
import { beginVerify, verifyStep } from '../../../src/agent/verify.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { type Engine, engine } from './engine.ts';

const mb = 1024 * 1024;
/** Each document stands for one of so many bytes; answers beyond what the asker bounds, or 100 MB, are not held. */
const holding = (cluster: ClusterControl, docBytes: number, sizes: number[]): ClusterControl => ({
  ...cluster,
  mget: (get: MultiGet) => {
    const bytes = get.source ? get.docs.length * docBytes : 0;
    if (bytes > (get.maxBodyBytes ?? 100 * mb)) return Promise.reject(new CrossfadeError('UPSTREAM_BODY_TOO_LARGE'));
    sizes.push(bytes);
    return cluster.mget(get);
  },
});

/** Sixty documents on both sides, whose last ten differ. */
const filled = (docBytes: number) => {
  const made: Engine = engine();
  for (let i = 0; i < 60; i++) made.put(`d${i}`, { i });
  for (let i = 0; i < 50; i++)
    made.pair.target.storage.write({ op: 'index', index: 'p2', id: `d${i}`, source: `{"i":${i}}` });
  const sizes: number[] = [];
  const { source, target } = made.io.clusters;
  const clusters = { source: holding(source, docBytes, sizes), target: holding(target, docBytes, sizes) };
  return { made, sizes, io: { ...made.io, clusters } };
};

describe.each([
  ['of which some fit into one answer', 30 * mb],
  ['of which one is larger than what is held of many', 120 * mb],
])('documents %s', (_what, docBytes) => {
  it('are repaired', async () => {
    const { made, io } = filled(docBytes);
    const taken = await takePosition('p1', 'checkpoint', { cluster: io.clusters.source, runtime: io.runtime });
    if (taken.kind !== 'ok') throw new Error(taken.detail);
    const docs = Array.from({ length: 60 }, (_, i) => ({ ordinal: 0, id: `d${i}` }));
    const repaired = await repairIds(docs, { ...io, pins: [taken.position] });
    expect(repaired.map(({ doc }) => doc.id)).toEqual(docs.map(({ id }) => id));
    expect(repaired.filter(({ outcome }) => outcome.kind === 'failed')).toEqual([]);
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it('are verified', async () => {
    const { io } = filled(docBytes);
    const patient = { ...io, recheck: { rounds: 2, delayMs: 1 } };
    const begun = await beginVerify({ mode: 'stamp' }, patient);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    let result = await verifyStep(begun.state, patient);
    while (result.kind === 'more') result = await verifyStep(result.state, patient);
    expect(result).toMatchObject({ kind: 'done', state: { checked: 60, counts: { missing: 10, different: 0 } } });
  });

  it('are swept, also where the transform of the way back may drop some', async () => {
    const { made, io } = filled(docBytes);
    for (let i = 0; i < 40; i++) made.remove(`d${i}`);
    const begun = await beginSweep(io);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    const result = await sweepStep(begun.state, {
      ...io,
      mayDrop: (doc) => ((doc as { i: number }).i === 7 ? null : doc),
    });
    expect(result).toMatchObject({ kind: 'done', state: { removed: 39 } });
  });
});
