import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PhaseEvent, stepPhase, switchEpochs } from '../../../src/coordination/phase-machine.ts';
import { initialPhase, ownRevision, type Phase, type PhaseRecord, phases } from '../../../src/coordination/records.ts';

const who = { by: 'ops', reason: 'test', at: '2026-01-01T00:00:00Z' };
const hold = { to: 'target', rehearsal: false, budgetMs: 2000, graceMs: 3000 } as const;
const record = (over: Partial<PhaseRecord>): PhaseRecord => ({ ...initialPhase, epoch: 3, reign: 2, ...over });

const events: PhaseEvent[] = [
  ...phases.map((to): PhaseEvent => ({ kind: 'move', to })),
  ...phases.map((to): PhaseEvent => ({ kind: 'move', to, nextReign: true })),
  { kind: 'hold', rehearsal: false, budgetMs: 2000, graceMs: 3000 },
  { kind: 'commit' },
  { kind: 'release' },
  { kind: 'pass_over' },
];
const name = (event: PhaseEvent): string => {
  if (event.kind !== 'move') return event.kind;
  return event.nextReign === true ? `move:${event.to}+reign` : `move:${event.to}`;
};

/** Every allowed (state, event) pair and what it leads to; every pair not listed is refused. */
const allowed: Record<string, Partial<PhaseRecord>> = {
  'off move:observe': { phase: 'observe', epoch: 5 },
  'observe move:off': { phase: 'off', epoch: 3 },
  'observe move:dual': { phase: 'dual', epoch: 3 },
  'observe move:dual+reign': { phase: 'dual', epoch: 3, reign: 3 },
  'dual move:observe': { phase: 'observe', epoch: 3 },
  'dual pass_over': { phase: 'dual', epoch: 7, reign: 2 },
  'target pass_over': { phase: 'target', epoch: 7, reign: 2 },
  'dual hold': { phase: 'dual', epoch: 5, hold: { ...hold } },
  'target move:final': { phase: 'final', epoch: 3 },
  'target hold': { phase: 'target', epoch: 5, hold: { ...hold, to: 'dual' } },
  'dual+hold commit': { phase: 'target', epoch: 4, reign: 3, percentFloor: ownRevision },
  'dual+hold release': { phase: 'dual', epoch: 5, reign: 2 },
  'target+hold commit': { phase: 'dual', epoch: 4, reign: 3, percentFloor: ownRevision },
  'target+hold release': { phase: 'target', epoch: 5, reign: 2 },
};
const states: [string, PhaseRecord][] = [
  ...phases.map((phase): [string, PhaseRecord] => [phase, record({ phase })]),
  ['dual+hold', record({ phase: 'dual', hold: { ...hold } })],
  ['target+hold', record({ phase: 'target', hold: { ...hold, to: 'dual' } })],
];

describe('phase machine', () => {
  for (const [state, before] of states) {
    for (const event of events) {
      const pair = `${state} ${name(event)}`;
      const expected = allowed[pair];
      it(`${expected === undefined ? 'refuses' : 'allows'} ${pair}`, () => {
        const step = stepPhase(before, event, who);
        if (expected === undefined) {
          expect(step.ok).toBe(false);
          return;
        }
        expect(step).toMatchObject({ ok: true, record: { ...who, ...expected } });
        if (step.ok) expect(step.record.hold).toEqual(expected.hold);
      });
    }
  }

  it('never commits a rehearsal', () => {
    const held = record({ phase: 'dual', hold: { ...hold, rehearsal: true } });
    expect(stepPhase(held, { kind: 'commit' }, who).ok).toBe(false);
  });

  it('refuses a switch when the layout has no reign left, and still allows a rehearsal', () => {
    const last = record({ phase: 'dual', reign: 63 });
    const start = (rehearsal: boolean) => stepPhase(last, { kind: 'hold', rehearsal, budgetMs: 1, graceMs: 1 }, who).ok;
    expect([start(false), start(true)]).toEqual([false, true]);
  });

  it('gives each epoch one direction for ever, prepared or used, over any number of switches', () => {
    const ending = fc.constantFrom<PhaseEvent>({ kind: 'commit' }, { kind: 'release' }, { kind: 'pass_over' });
    fc.assert(
      fc.property(fc.array(ending, { maxLength: 30 }), (endings) => {
        let now = record({ phase: 'dual', epoch: 1, reign: 1 });
        const copiesFrom = new Map<number, string>();
        const use = (epoch: number, from: string): boolean => {
          const known = copiesFrom.get(epoch);
          copiesFrom.set(epoch, from);
          return known === undefined || known === from;
        };
        return endings.every((end) => {
          const [from, to] = now.phase === 'target' ? ['target', 'source'] : ['source', 'target'];
          const { hold: held, commit, release } = switchEpochs(now.epoch);
          const clean = use(now.epoch, from) && use(held, from) && use(commit, to) && use(release, from);
          const unheld = end.kind === 'pass_over';
          const hold = { kind: 'hold', rehearsal: false, budgetMs: 1, graceMs: 1 } as const;
          const begun = unheld ? { ok: true as const, record: now } : stepPhase(now, hold, who);
          const ended = begun.ok ? stepPhase(begun.record, end, who) : begun;
          if (!ended.ok || !begun.ok) return false;
          const isHeld = unheld || begun.record.epoch === held;
          now = ended.record;
          return clean && isHeld && now.epoch === (end.kind === 'commit' ? commit : release);
        });
      }),
    );
  });

  it('never lowers epoch or reign and never reuses an epoch for another authority', () => {
    const anyEvent = fc.constantFrom(...events);
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 60 }), (list) => {
        let now: PhaseRecord = initialPhase;
        const authorityOf = new Map<number, Phase>();
        for (const event of list) {
          const step = stepPhase(now, event, who);
          if (!step.ok) continue;
          const next = step.record;
          if (next.epoch < now.epoch || next.reign < now.reign) return false;
          const mayRaise = event.kind === 'commit' || (event.kind === 'move' && event.nextReign === true);
          if (next.reign > now.reign && !mayRaise) return false;
          now = next;
          if (now.hold !== undefined) continue;
          const side = now.phase === 'target' || now.phase === 'final' ? 'target' : 'dual';
          const known = authorityOf.get(now.epoch);
          if (known !== undefined && known !== side) return false;
          authorityOf.set(now.epoch, side);
        }
        return true;
      }),
    );
  });
});
