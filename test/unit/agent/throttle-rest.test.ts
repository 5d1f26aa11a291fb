import { describe, expect, it } from 'vitest';
import { freeGovernor, govern, maxRestMs, restMs } from '../../../src/agent/throttle.ts';

describe('the rest between pages', () => {
  it('is bounded after a page that an outage kept repeating, so that the chunk goes on soon after', () => {
    let governor = freeGovernor;
    for (let page = 0; page < 10; page++) governor = govern(governor, { docs: 5, sendMs: 20_000, pushedBack: true });
    expect(restMs(governor.duty, 20_000)).toBe(maxRestMs);
    expect(restMs(governor.duty, 20)).toBe(980);
  });
});
