import { describe, expect, it } from 'vitest';
import { createPhaseWriter } from '../../../src/agent/leader/phase-writer.ts';
import type { PhaseEvent } from '../../../src/coordination/phase-machine.ts';
import { initialPhase } from '../../../src/coordination/records.ts';
import { emptyFold, foldChanges, statesOf } from '../../../src/coordination/route-state.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const slug = 'products';
const hold: PhaseEvent = { kind: 'hold', rehearsal: false, budgetMs: 1, graceMs: 1 };

const setUp = async () => {
  const { config } = new MemoryStore();
  await config.put(`rt.${slug}.cfg`, JSON.stringify({ route: slug, indices: [{ source: 'p1', target: 'p2' }] }));
  await config.put(`rt.${slug}.phase`, JSON.stringify({ ...initialPhase, phase: 'dual', epoch: 1 }));
  const writer = createPhaseWriter({ bucket: config, slug, by: 'a', now: () => 0, clock: () => '' });
  const step = async (event: PhaseEvent) => {
    const outcome = await writer.step(event, { reason: '', from: await writer.read() });
    if (!outcome.ok) throw new Error(outcome.message);
    return outcome.write;
  };
  const percent = async () => statesOf(foldChanges(emptyFold, await config.list('rt.'))).get(slug)?.percent.read;
  return { config, writer, step, percent };
};

describe('the commit of a switch', () => {
  it('voids a percentage that somebody sets while it is about to be written, and none that is set after it', async () => {
    const { config, step, percent } = await setUp();
    await step(hold);
    await config.put(`rt.${slug}.pct.read`, '100');
    await step({ kind: 'commit' });
    expect(await percent()).toBe(0);
    await config.put(`rt.${slug}.pct.read`, '5');
    expect(await percent()).toBe(5);
  });

  it('hands its own revision on as the floor of the records that follow', async () => {
    const { config, writer, step, percent } = await setUp();
    await step(hold);
    const committed = await step({ kind: 'commit' });
    expect(committed.record.percentFloor).toBe(committed.revision);
    expect(await writer.read()).toEqual(committed);
    await config.put(`rt.${slug}.pct.read`, '5');
    const moved = await step({ kind: 'move', to: 'final' });
    expect(moved.record.percentFloor).toBe(committed.revision);
    expect(await percent()).toBe(5);
  });
});
