import { describe, expect, it } from 'vitest';
import { openLedger } from '../../../src/agent/ledger.ts';
import { createJobStore, newWork } from '../../../src/agent/leader/job-state.ts';
import { createSwitchIo, type SwitchIoDeps } from '../../../src/agent/leader/switch-io.ts';
import { mayGoFast } from '../../../src/agent/leader/switch.ts';
import { listProcesses } from '../../../src/coordination/process-list.ts';
import { noMembers } from '../../../src/coordination/membership.ts';
import { controls, fakePair, routeState } from '../agent/route.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { ManualTime } from '../coordination/manual-time.ts';
import { memoryStore } from '../coordination/memory-bucket.ts';

/** At rest, with a ledger that balances. */
const atRest = async (over: Partial<SwitchIoDeps> = {}) => {
  const state = routeState({ phase: 'dual', reign: 1, epoch: 1 });
  const { slug } = state;
  const { config } = memoryStore(new ManualTime());
  const job = createJobStore(config, slug);
  await job.save({
    work: { ...newWork({ reign: 1, authority: 'source', epoch: 1 }), ledger: openLedger(1, [0], []) },
  });
  const io = createSwitchIo({
    state,
    start: { record: state.phase, revision: 1 },
    clusters: controls(fakePair(state)),
    dropped: {},
    members: { view: () => noMembers, onChange: () => () => undefined, refresh: async () => undefined },
    bucket: config,
    unheard: [],
    writer: { read: () => Promise.reject(new Error('not here')), step: () => Promise.reject(new Error('not here')) },
    job,
    runtime: manualRuntime(),
    shards: { source: [2], target: [3] },
    lostSinceMs: Number.NEGATIVE_INFINITY,
    reason: '',
    clock: () => '',
    isLeader: () => true,
    tailTo: async () => true,
    settle: async () => undefined,
    ...over,
  });
  const enlist = (boot: string) => config.put(`job.${slug}.boot.${boot}`, JSON.stringify({ member: `pod-${boot}` }));
  return { io, enlist, listed: async () => (await listProcesses(config, slug)).map(({ boot }) => boot) };
};

describe('a commit of which nobody knows whether it was written', () => {
  it.each([
    [{ phase: 'target', reign: 2, epoch: 4 } as const, true],
    [{ phase: 'dual', reign: 1, epoch: 5 } as const, false],
    [{ phase: 'target', reign: 2, epoch: 8 } as const, false],
  ])('with %o in the store stands: %s', async (over, stands) => {
    const { record } = { record: routeState(over).phase };
    const told: number[] = [];
    const { io } = await atRest({
      writer: { read: async () => ({ record, revision: 9 }), step: () => Promise.reject(new Error('not here')) },
      onStep: ({ revision }) => told.push(revision),
    });
    expect(await io.isCommitted()).toBe(stands);
    expect(told).toEqual(stands ? [9] : []);
  });
});

describe('what a switch finds when everybody is drained', () => {
  it('is enough for the fast path when nobody else is listed', async () => {
    const { io } = await atRest();
    expect(mayGoFast(await io.drainFacts())).toBe(true);
  });

  it('is not enough when a process is listed that this leader has never heard', async () => {
    const { io, enlist } = await atRest();
    await enlist('b9');
    const facts = await io.drainFacts();
    expect(facts.missing).toEqual(['pod-b9']);
    expect(mayGoFast(facts)).toBe(false);
  });

  it('is struck off the list once it is settled, and only if it cannot just be joining', async () => {
    const known = [{ boot: 'old', member: 'pod-old', sinceMs: -60_000 }];
    const { io, enlist, listed } = await atRest({ unheard: known });
    for (const boot of ['old', 'new']) await enlist(boot);
    await io.drainFacts();
    expect(await listed()).toEqual(['old', 'new']);
    await io.settle();
    expect(await listed()).toEqual(['new']);
  });
});
