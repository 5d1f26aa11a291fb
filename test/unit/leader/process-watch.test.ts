import { beforeEach, describe, expect, it } from 'vitest';
import { createJobStore, type JobStore } from '../../../src/agent/leader/job-state.ts';
import { longUnheard, unheardOf, watchProcesses } from '../../../src/agent/leader/process-watch.ts';
import type { Leading } from '../../../src/agent/leader/leading.ts';
import type { Membership } from '../../../src/coordination/membership.ts';
import type { Phase } from '../../../src/coordination/records.ts';
import { heardFrom } from '../../support/heartbeats.ts';
import { routeState } from '../agent/route.ts';
import { ManualTime } from '../coordination/manual-time.ts';
import { memoryStore, type MemoryStore } from '../coordination/memory-bucket.ts';

const heard = (...boots: string[]): Membership => ({
  ...heardFrom(Object.fromEntries(boots.map((boot) => [boot, {}]))),
  watchingSinceMs: 0,
});
const listed = (...boots: string[]) => boots.map((boot) => ({ boot, member: boot }));

let time: ManualTime;
let store: MemoryStore;
let job: JobStore;
let leading: Leading;
let slug: string;
const turn = async (phase: Phase): Promise<void> => {
  leading.turns = 0;
  await watchProcesses(leading, routeState({ phase }));
};
const onList = async () => (await store.config.list(`job.${slug}.boot.`)).map(({ key }) => key.split('.').at(-1));

beforeEach(async () => {
  time = new ManualTime();
  time.nowMs = 60_000;
  store = memoryStore(time);
  ({ slug } = routeState());
  job = createJobStore(store.config, slug);
  for (const boot of ['here', 'gone'])
    await store.config.put(`job.${slug}.boot.${boot}`, JSON.stringify({ member: boot }));
  const members = { view: () => heard('here'), refresh: async () => undefined };
  leading = {
    deps: { slug, store, members, runtime: { now: time.now } },
    job,
    unheard: [],
    countedLost: new Set(),
    turns: 0,
  } as unknown as Leading;
});

describe('processes that are listed and that nobody hears', () => {
  it('are those whose start is in no heartbeat, also when their name is', () => {
    expect(unheardOf(listed('a', 'b', 'c'), heard('b'))).toEqual(listed('a', 'c'));
  });

  it('may be struck off only when they were missed for so long that they cannot be joining', () => {
    const known = [{ boot: 'a', member: 'a', sinceMs: 0 }];
    expect(longUnheard(listed('a', 'b'), known, 15_999)).toEqual([]);
    expect(longUnheard(listed('a', 'b'), known, 16_000)).toEqual(['a']);
    expect(longUnheard(listed('b'), known, 16_000)).toEqual([]);
  });

  it('call for a sweep once, and stay listed until a fence has stopped them', async () => {
    await turn('dual');
    expect(job.current().events).toEqual({});
    for (let looks = 0; looks < 2; looks++) {
      time.nowMs += 10_000;
      await turn('dual');
      expect(job.current().events).toEqual({ 'lost:gone/gone': 1 });
    }
    expect(leading.unheard).toEqual([{ boot: 'gone', member: 'gone', sinceMs: 60_000 }]);
    expect(await onList()).toEqual(['here', 'gone']);
    // As when it has become part of a sum since.
    await job.save({ events: { gone: 1 } });
    await turn('dual');
    expect(job.current().events).toEqual({ gone: 1 });
  });

  it('call for nothing when they were only joining', async () => {
    await turn('dual');
    leading.deps.members.view = () => heard('here', 'gone');
    time.nowMs += 10_000;
    await turn('dual');
    expect([job.current().events, leading.unheard]).toEqual([{}, []]);
  });

  it('leave the list by themselves where no switch can come any more', async () => {
    await turn('final');
    expect(await onList()).toEqual(['here', 'gone']);
    time.nowMs += 20_000;
    await turn('final');
    expect(await onList()).toEqual(['here']);
    expect(job.current().events).toEqual({});
  });

  it('stay listed in off, where nothing else tells of them, unless their member runs again', async () => {
    await store.config.put(`job.${slug}.boot.before`, JSON.stringify({ member: 'here' }));
    await turn('off');
    time.nowMs += 20_000;
    await turn('off');
    expect(await onList()).toEqual(['here', 'gone']);
  });

  it('are not looked for by a leader that may not have heard everybody yet', async () => {
    leading.deps.members.view = () => ({ ...heard('here'), watchingSinceMs: time.nowMs - 1_000 });
    await turn('dual');
    expect(leading.unheard).toEqual([]);
  });
});
