import { describe, expect, it } from 'vitest';
import { effectivePercents } from '../../../src/coordination/effective.ts';
import { routeState } from '../../support/routes.ts';

const percent = { read: 25, shadow: 10, write: 80 };

describe('percentages in effect', () => {
  it.each([
    ['off', false, { read: 0, shadow: 0, write: 0 }],
    ['off', true, { read: 0, shadow: 0, write: 0 }],
    ['observe', false, { read: 0, shadow: 0, write: 0 }],
    ['dual', false, { read: 25, shadow: 10, write: 80 }],
    ['dual', true, { read: 0, shadow: 10, write: 80 }],
    ['target', false, { read: 25, shadow: 10, write: 80 }],
    ['target', true, { read: 0, shadow: 10, write: 80 }],
    ['final', false, { read: 0, shadow: 0, write: 0 }],
    ['final', true, { read: 0, shadow: 0, write: 0 }],
  ] as const)('in %s with stop %j are %j', (phase, stop, expected) => {
    expect(effectivePercents(routeState({ phase, percent, stop }))).toEqual(expected);
  });
});
