import { describe, expect, it } from 'vitest';
import { type Phase, phases } from '../../../src/coordination/records.ts';
import { noWay, switchBetween } from '../../../src/coordination/step-rules.ts';

const barredIn: Record<string, readonly Phase[]> = {
  advance: ['target', 'final'],
  rehearse: ['off', 'observe', 'final'],
  rollback: ['final'],
  finalize: [],
};

describe('a step that leads nowhere', () => {
  it.each(Object.entries(barredIn))('is %s in just these phases: %j', (action, barred) => {
    const found = phases.filter((phase) => noWay(action as 'advance', phase) !== undefined);
    expect(found).toEqual(barred);
  });
});

describe('the switch between two phases', () => {
  it.each<[Phase, Phase, 'cutover' | 'rollback' | undefined]>([
    ['off', 'dual', undefined],
    ['dual', 'off', undefined],
    ['target', 'final', undefined],
    ['observe', 'target', 'cutover'],
    ['dual', 'final', 'cutover'],
    ['target', 'observe', 'rollback'],
  ])('%s and %s is %s', (from, to, needed) => {
    expect(switchBetween(from, to)).toBe(needed);
  });
});
