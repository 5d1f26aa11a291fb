import { expect, it } from 'vitest';
import type { JobStore } from '../../../src/agent/leader/job-state.ts';
import { createProofWatch } from '../../../src/agent/leader/proof-watch.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';

it('calls for a sweep, and holds no proof any more, when a switch has found the sides apart', async () => {
  let work: Record<string, unknown> = { sweep: { coveredEvents: 3, removed: 0 }, proof: { equal: true } };
  const job = {
    current: () => ({ work }),
    save: async (change: { work: typeof work }) => {
      work = change.work;
    },
  } as unknown as JobStore;
  const proof = createProofWatch({
    job,
    runtime: manualRuntime(),
    clock: () => 'now',
    sweepPending: () => false,
    setAlarm: () => undefined,
  });
  proof.noteProven();
  expect(proof.ageSeconds()).toBe(0);
  await proof.noteApart();
  expect(work).toMatchObject({ sweep: { coveredEvents: -1 }, proof: { equal: false } });
  expect(proof.ageSeconds()).toBeUndefined();
});
