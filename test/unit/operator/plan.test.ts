import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { phases } from '../../../src/coordination/records.ts';
import { nextStep, type PlanFacts } from '../../../src/operator/plan.ts';

const yes = { ok: true, reasons: [] };
const no = { ok: false, reasons: ['backfill complete: no'] };
const facts: PlanFacts = {
  wanted: 'dual',
  present: 'dual',
  held: false,
  stopped: false,
  open: false,
  generation: 3,
  asked: undefined,
  result: undefined,
  safeToAdvance: yes,
  safeToRollBack: yes,
};
const made = (what: string, generation = 3): PlanFacts['asked'] => ({ generation, requests: [{ what, id: 'id-1' }] });
const result = (state: NonNullable<PlanFacts['result']>['state'], id = 'id-1'): PlanFacts['result'] => ({
  schema: 1,
  id,
  state,
  message: 'members not drained',
  at: '',
});

describe('the next step of a migration', () => {
  it.each<[string, Partial<PlanFacts>, object]>([
    ['is none when the route is where it should be', {}, { kind: 'reached' }],
    ['is none when the spec names no phase', { wanted: undefined, present: 'target' }, { kind: 'reached' }],
    ['asks for a phase', { present: 'off' }, { kind: 'ask', action: 'phase', phase: 'dual' }],
    ['goes to dual before the cutover', { present: 'off', wanted: 'target' }, { kind: 'ask', phase: 'dual' }],
    ['asks for the cutover when it is safe', { wanted: 'target' }, { kind: 'ask', action: 'advance', phase: 'dual' }],
    [
      'waits while it is not',
      { wanted: 'target', safeToAdvance: no },
      { kind: 'wait', reason: 'NotSafe', message: 'backfill complete: no' },
    ],
    ['rolls back from the target', { present: 'target', wanted: 'dual' }, { kind: 'ask', action: 'rollback' }],
    ['rolls back on the way to off too', { present: 'target', wanted: 'off' }, { kind: 'ask', action: 'rollback' }],
    [
      'waits with a rollback that would lose writes',
      { present: 'target', safeToRollBack: no },
      { kind: 'wait', reason: 'NotSafe' },
    ],
    ['finalizes from the target', { present: 'target', wanted: 'final' }, { kind: 'ask', action: 'finalize' }],
    ['goes to final from nowhere else', { wanted: 'final' }, { kind: 'blocked', reason: 'NoWay' }],
    ['leads out of final nowhere', { present: 'final', wanted: 'target' }, { kind: 'blocked', reason: 'NoWay' }],
    ['waits for a switch that is under way', { held: true, wanted: 'target' }, { kind: 'wait', reason: 'Moving' }],
    ['waits for a request of somebody else', { open: true, wanted: 'target' }, { kind: 'wait', reason: 'Moving' }],
    ['waits while the brake is on', { stopped: true, wanted: 'target' }, { kind: 'wait', reason: 'Stopped' }],
    [
      'waits for its own request',
      { wanted: 'target', asked: made('advance'), result: result('running') },
      { kind: 'wait', reason: 'Moving' },
    ],
    [
      'does not repeat a cutover that was given up',
      { wanted: 'target', asked: made('advance'), result: result('aborted') },
      { kind: 'blocked', reason: 'GivenUp' },
    ],
    [
      'tries it again for a new generation',
      { wanted: 'target', asked: made('advance', 2), result: result('aborted') },
      { kind: 'ask', action: 'advance' },
    ],
    [
      'does not fight a rollback by hand',
      { wanted: 'target', asked: made('advance'), result: result('done', 'id-of-a-person') },
      {
        kind: 'blocked',
        reason: 'GivenUp',
        message: expect.stringContaining('the last answer is to another request; change the spec'),
      },
    ],
    [
      'does not repeat a request that was lost',
      { wanted: 'target', asked: made('advance'), result: undefined },
      { kind: 'blocked', reason: 'GivenUp', message: expect.stringContaining('there is no answer; change the spec') },
    ],
    [
      'does not repeat a phase that was refused',
      { present: 'off', asked: made('phase dual'), result: result('refused') },
      { kind: 'blocked', reason: 'GivenUp' },
    ],
  ])('%s', (_, changed, expected) => {
    expect(nextStep({ ...facts, ...changed })).toMatchObject(expected);
  });

  it('never asks twice for the same in one generation, whatever the store says', () => {
    const phase = fc.constantFrom(...phases);
    const any = fc.record({
      wanted: phase,
      present: phase,
      safe: fc.boolean(),
      state: fc.constantFrom('running', 'done', 'refused', 'aborted', 'failed'),
      known: fc.boolean(),
    });
    fc.assert(
      fc.property(any, ({ wanted, present, safe, state, known }) => {
        const answer = safe ? yes : no;
        const before = { ...facts, wanted, present, safeToAdvance: answer, safeToRollBack: answer };
        const first = nextStep(before);
        if (first.kind !== 'ask') return;
        const after = { ...before, asked: made(first.what), result: known ? result(state) : undefined };
        expect(nextStep(after).kind).not.toBe('ask');
      }),
    );
  });
});
