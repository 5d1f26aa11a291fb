import { describe, expect, it } from 'vitest';
import {
  type DrainFacts,
  mayGoFast,
  runSwitch,
  type SwitchIo,
  type SwitchPoint,
  switchPoints,
} from '../../../src/agent/leader/switch.ts';
import { type PhaseEvent, stepPhase } from '../../../src/coordination/phase-machine.ts';
import { initialPhase, ownRevision, type PhaseRecord } from '../../../src/coordination/records.ts';

const clean: DrainFacts = { missing: [], unproven: 0, ledgerBalanced: true, sequences: [5, 7] };
const settings = { kind: 'cutover', budgetMs: 2000, graceMs: 3000, at: 'now' } as const;

type Fake = {
  drain?: DrainFacts;
  drained?: boolean;
  counts?: boolean[];
  tasksEnd?: boolean;
  tailReaches?: boolean;
  /** What the authority has given out, look by look; the last one stays. */
  sequences?: number[][];
  stepMs?: number;
  failAt?: SwitchPoint;
  loseLeaseAt?: SwitchPoint;
  otherWinsAt?: PhaseEvent['kind'];
  /** The commit is written, and nobody learns of it. */
  commitUnknown?: boolean;
};

const fakeIo = (fake: Fake = {}) => {
  const done: string[] = [];
  let record: PhaseRecord = { ...initialPhase, phase: 'dual', epoch: 1, reign: 1 };
  let revision = 1;
  let clock = 0;
  let leader = true;
  const counts = [...(fake.counts ?? [])];
  const sequences = [...(fake.sequences ?? [])];
  const act = async (name: string): Promise<void> => {
    done.push(name);
    clock += fake.stepMs ?? 1;
  };
  const io: SwitchIo = {
    now: () => clock,
    prepareAliases: () => act('prepare'),
    refreshBoth: () => act('refresh'),
    stepPhase: async (event) => {
      await act(event.kind);
      if (fake.otherWinsAt === event.kind) return undefined;
      const step = stepPhase(record, event, { by: 'x', reason: 'y', at: 'z' });
      if (!step.ok) return undefined;
      record = step.record;
      if (fake.commitUnknown && event.kind === 'commit') throw new Error('outcome unknown');
      return { record, revision: ++revision };
    },
    awaitDrained: async () => {
      await act('drain');
      return fake.drained === false ? { ok: false, waitingFor: ['pod-2'] } : { ok: true };
    },
    drainFacts: async () => fake.drain ?? clean,
    sequences: async () => (sequences.length > 1 ? sequences.shift() : sequences[0]) ?? clean.sequences,
    countsEqual: async () => {
      await act('count');
      return counts.shift() ?? true;
    },
    noteApart: () => void done.push('apart'),
    fenceBoth: () => act('fence'),
    fenceTail: () => act('fenceTail'),
    awaitNoWriteTasks: async () => {
      await act('tasks');
      return fake.tasksEnd ?? true;
    },
    tailToCheckpoint: async () => {
      await act('tail');
      return fake.tailReaches ?? true;
    },
    rememberProof: () => act('baseline'),
    readStart: () => act('start'),
    rememberStart: () => act('remember'),
    isCommitted: async () => record.hold === undefined && record.reign === 2,
    settle: () => act('settle'),
    isLeader: () => leader,
    reached: async (point) => {
      if (fake.loseLeaseAt === point) leader = false;
      if (fake.failAt === point) throw new Error(`stopped at ${point}`);
    },
  };
  return { io, done, record: () => record };
};

describe('switch of authority', () => {
  it('commits without touching the fence before the commit when the ledger vouches for everything', async () => {
    const { io, done, record } = fakeIo();
    const report = await runSwitch(io, settings);
    expect(report).toMatchObject({ result: 'committed', path: 'fast' });
    expect(done).toEqual(['prepare', 'refresh', 'hold', 'drain', 'count', 'start', 'remember', 'commit', 'settle']);
    expect(record()).toMatchObject({ phase: 'target', epoch: 4, reign: 2, percentFloor: ownRevision });
  });

  const slow: [string, Fake][] = [
    ['a member is missing', { drain: { ...clean, missing: ['pod-9'] } }],
    ['an outcome is unknown', { drain: { ...clean, unproven: 1 } }],
    ['the ledger does not balance', { drain: { ...clean, ledgerBalanced: false } }],
  ];
  for (const [why, fake] of slow) {
    it(`fences both sides before the proof when ${why}`, async () => {
      const { io, done, record } = fakeIo(fake);
      const report = await runSwitch(io, settings);
      expect(report).toMatchObject({ result: 'committed', path: 'fenced' });
      expect(done.indexOf('fence')).toBeLessThan(done.indexOf('tail'));
      expect(done.indexOf('tail')).toBeLessThan(done.lastIndexOf('count'));
      expect(record().phase).toBe('target');
    });
  }

  it('takes the fenced path when the counts of the fast one differ', async () => {
    const { io, done } = fakeIo({ counts: [false, true] });
    expect(await runSwitch(io, settings)).toMatchObject({ result: 'committed', path: 'fenced' });
    expect(done.filter((step) => step === 'count')).toHaveLength(2);
  });

  it('takes the fenced path when somebody wrote between the balance and the counts', async () => {
    const { io, done } = fakeIo({ sequences: [[5, 8]] });
    expect(await runSwitch(io, settings)).toMatchObject({ result: 'committed', path: 'fenced' });
    expect(done).toContain('fence');
  });

  it('reads where the reverse tail starts again after the tail has copied', async () => {
    const { io, done } = fakeIo({ drain: { ...clean, unproven: 1 } });
    await runSwitch(io, settings);
    expect(done.lastIndexOf('start')).toBeGreaterThan(done.lastIndexOf('count'));
    expect(done.lastIndexOf('start')).toBeLessThan(done.indexOf('remember'));
  });

  it('looks whether the authority stood still only after the counts, however they are ordered among themselves', async () => {
    const { io, done } = fakeIo();
    let lateCount = (): void => undefined;
    const countsEqual = async () => {
      await new Promise<void>((resolve) => {
        lateCount = resolve;
      });
      done.push('counted');
      return true;
    };
    const sequences = async () => {
      done.push('sequences');
      return clean.sequences;
    };
    const running = runSwitch({ ...io, countsEqual, sequences }, settings);
    await new Promise(setImmediate);
    expect(done).not.toContain('sequences');
    lateCount();
    expect(await running).toMatchObject({ path: 'fast' });
    expect(done.indexOf('sequences')).toBeGreaterThan(done.indexOf('counted'));
  });

  it('looks at the sequence numbers before the tail takes its checkpoint and again after the counts', async () => {
    const { io, done } = fakeIo({ drain: { ...clean, unproven: 1 } });
    const sequences = async () => {
      done.push('sequences');
      return clean.sequences;
    };
    await runSwitch({ ...io, sequences }, settings);
    const fromFence = done.slice(done.indexOf('fence'));
    const order = ['fence', 'tasks', 'sequences', 'tail', 'fenceTail', 'tasks', 'count', 'sequences', 'remember'];
    expect(fromFence.filter((step) => order.includes(step))).toEqual(order);
  });

  const givenUp: [string, Fake, RegExp][] = [
    ['a member does not drain', { drained: false }, /pod-2/],
    ['write tasks go on after the fence', { drain: { ...clean, unproven: 1 }, tasksEnd: false }, /write tasks/],
    ['the tail cannot catch up', { drain: { ...clean, unproven: 1 }, tailReaches: false }, /tail/],
    ['the counts differ after the fence', { counts: [false, false] }, /counts differ/],
    [
      'the authority gives out a sequence number behind the fence',
      {
        drain: { ...clean, missing: ['pod-9'] },
        sequences: [
          [5, 7],
          [5, 8],
        ],
      },
      /somebody writes past the fence/,
    ],
    ['the budget is used up', { stepMs: 700 }, /budget/],
    ['the lease is lost before the commit', { loseLeaseAt: 'proven' }, /lease/],
    ['another leader writes first', { otherWinsAt: 'commit' }, /another phase record/],
  ];
  for (const [why, fake, reason] of givenUp) {
    it(`releases the writes to the old authority when ${why}`, async () => {
      const { io, record } = fakeIo(fake);
      const report = await runSwitch(io, settings);
      expect(report.result).toBe('aborted');
      expect(report.reason).toMatch(reason);
      expect(record()).toMatchObject({ phase: 'dual', epoch: 5, reign: 1 });
      expect(record().hold).toBeUndefined();
    });
  }

  it('says that the sides are apart when their counts differ with nothing under way, and else does not', async () => {
    const apart = fakeIo({ counts: [false, false] });
    await runSwitch(apart.io, settings);
    expect(apart.done).toContain('apart');
    const behind = fakeIo({ counts: [false, true] });
    await runSwitch(behind.io, settings);
    expect(behind.done).not.toContain('apart');
  });

  it('is committed when the record stands though nobody knew whether it was written', async () => {
    const { io, done, record } = fakeIo({ commitUnknown: true });
    expect(await runSwitch(io, settings)).toMatchObject({ result: 'committed', path: 'fast' });
    expect(record()).toMatchObject({ phase: 'target', reign: 2 });
    expect(done.at(-1)).toBe('settle');
  });

  it('refuses when another record was written before the hold', async () => {
    const { io, done } = fakeIo({ otherWinsAt: 'hold' });
    expect(await runSwitch(io, settings)).toMatchObject({ result: 'refused' });
    expect(done).not.toContain('release');
  });

  it('rehearses everything up to the proof and releases', async () => {
    const { io, done, record } = fakeIo();
    expect(await runSwitch(io, { ...settings, kind: 'rehearsal' })).toMatchObject({
      result: 'rehearsed',
      path: 'fast',
    });
    expect(done).not.toContain('commit');
    expect(done.at(-1)).toBe('baseline');
    expect(record()).toMatchObject({ phase: 'dual', epoch: 5, reign: 1 });
  });

  for (const point of switchPoints) {
    it(`leaves exactly one authority and no hold when it fails at ${point}`, async () => {
      const { io, record } = fakeIo({ failAt: point, drain: { ...clean, unproven: 1 } });
      await runSwitch(io, settings).catch(() => undefined);
      const committed = point === 'committed' || point === 'settled';
      expect(record().hold).toBeUndefined();
      expect(record().phase).toBe(committed || point === 'released' ? 'target' : 'dual');
    });
  }

  it('goes fast only when nothing is missing, unproven or unaccounted', () => {
    expect(mayGoFast(clean)).toBe(true);
    for (const [, fake] of slow) expect(mayGoFast(fake.drain ?? clean)).toBe(false);
  });
});
