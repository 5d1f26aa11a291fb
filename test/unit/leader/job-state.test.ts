import { describe, expect, it } from 'vitest';
import { directionOf } from '../../../src/agent/direction.ts';
import { emptyJob, JobState, newWork } from '../../../src/agent/leader/job-state.ts';
import { routeState } from '../agent/route.ts';

describe("the leader's record", () => {
  it('can be read again when the work of a reign was begun from a direction', () => {
    const next = newWork(directionOf(routeState({ epoch: 3, reign: 2 })));
    const text = JSON.stringify({ ...emptyJob, next });
    expect(JobState.parse(JSON.parse(text)).next).toEqual(next);
  });
});
