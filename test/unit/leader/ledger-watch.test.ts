import { beforeEach, describe, expect, it } from 'vitest';
import { openLedger } from '../../../src/agent/ledger.ts';
import { createJobStore, type JobStore, newWork } from '../../../src/agent/leader/job-state.ts';
import { createLedgerWatch, type LedgerWatch } from '../../../src/agent/leader/ledger-watch.ts';
import { noMembers } from '../../../src/coordination/membership.ts';
import { ManualTime } from '../coordination/manual-time.ts';
import { MemoryBucket } from '../coordination/memory-bucket.ts';

const begun = newWork({ reign: 1, authority: 'source', epoch: 1 });
let job: JobStore;
let watch: LedgerWatch;

beforeEach(async () => {
  job = createJobStore(new MemoryBucket(new ManualTime()), 'p');
  await job.save({ work: begun });
  const runtime = { now: () => 0, random: () => 0, after: () => () => undefined };
  watch = createLedgerWatch({ slug: 'p', job, runtime, members: () => noMembers });
});

describe('writes that no member accounts for', () => {
  it('are unknown before a first proof, however many the authority has taken', async () => {
    await watch.look(1, [12_000]);
    expect(watch.unaccounted()).toBeUndefined();
  });

  it('are told from the first look after a proof on, and not before it', async () => {
    await watch.look(1, [12_000]);
    await job.save({ work: { ...begun, ledger: openLedger(1, [12_000], []) } });
    expect(watch.unaccounted()).toBeUndefined();
    await watch.look(1, [12_007]);
    expect(watch.unaccounted()).toBe(7);
  });

  it('are unknown again in a new reign until somebody has looked', async () => {
    await job.save({ work: { ...begun, ledger: openLedger(1, [5], []) } });
    await watch.look(1, [9]);
    watch.forget();
    expect(watch.unaccounted()).toBeUndefined();
    expect(watch.isGrowing()).toBe(false);
  });
});
