import { expect, it } from 'vitest';
import { createJobStore, newWork } from '../../../src/agent/leader/job-state.ts';
import { createProofWatch } from '../../../src/agent/leader/proof-watch.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { MemoryBucket } from '../../support/memory-store.ts';

it('calls for a sweep, and holds no proof any more, when a switch has found the sides apart', async () => {
  const job = createJobStore(new MemoryBucket(), 'products');
  const work = newWork({ reign: 1, authority: 'source', epoch: 1 });
  const proven = { at: 'before', equal: true, counts: [] };
  await job.save({ work: { ...work, sweep: { coveredEvents: 3, removed: 0 }, proof: proven } });
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
  expect(job.current().work).toMatchObject({ sweep: { coveredEvents: -1 }, proof: { equal: false } });
  expect(proof.ageSeconds()).toBeUndefined();
});
