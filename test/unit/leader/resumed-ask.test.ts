import { describe, expect, it } from 'vitest';
import { type Begun, overtaken, overtakenResult, resumedResult } from '../../../src/agent/leader/resumed-ask.ts';
import { askActions } from '../../../src/coordination/records.ts';

const dual: Begun = { phase: 'dual', epoch: 3, reign: 1 };

describe('an ask whose leader died', () => {
  it.each([
    ['advance', { phase: 'target', epoch: 4, reign: 2 }, 'done'],
    ['rollback', { phase: 'target', epoch: 4, reign: 2 }, 'done'],
    ['advance', { phase: 'dual', epoch: 5, reign: 1 }, 'aborted'],
    ['rehearse', { phase: 'dual', epoch: 5, reign: 1 }, 'aborted'],
    ['advance', dual, undefined],
    ['phase', { phase: 'target', epoch: 4, reign: 2 }, undefined],
  ] as const)('is, for %s now at %o, answered as %s', (action, now, state) => {
    expect(resumedResult({ action }, dual, now)?.state).toBe(state);
  });

  it('is carried out when nobody had begun it', () => {
    for (const action of askActions)
      expect(resumedResult({ action }, undefined, { phase: 'target', epoch: 9, reign: 2 })).toBeUndefined();
  });
});

describe('an ask whose leader died, and that another one has replaced', () => {
  const target: Begun = { phase: 'target', epoch: 4, reign: 2 };
  it.each([
    ['that was committed', { ...dual, action: 'advance' }, target, 'done'],
    ['that had changed nothing yet', { ...dual, action: 'advance' }, dual, 'aborted'],
    ['that could be repeated', { ...dual, action: 'phase' }, dual, 'aborted'],
    ['that was begun by an agent that noted no action', dual, target, 'aborted'],
    ['of which only figures are left', { checked: 7 }, dual, 'aborted'],
    ['of which nothing is left', undefined, dual, 'aborted'],
  ] as const)('is, for one %s, answered all the same', (_, details, now, state) => {
    const before = overtaken({ id: 'a', details });
    expect([before.id, overtakenResult(before, now).state]).toEqual(['a', state]);
  });
});
