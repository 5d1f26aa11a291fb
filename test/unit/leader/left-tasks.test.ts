import { describe, expect, test } from 'vitest';
import type { WriteTask } from '../../../src/agent/control-answers.ts';
import { foldEvents, totalEvents } from '../../../src/agent/leader/events.ts';
import { createLeftTasks } from '../../../src/agent/leader/left-tasks.ts';
import { type Membership, noMembers } from '../../../src/coordination/membership.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import type { Heartbeat, MemberRoute } from '../../../src/coordination/records.ts';
import { writeTask as task } from './write-task.ts';

const slug = 'products';
const state = {
  slug,
  spec: { indices: [{ source: 'p1', target: 'p2' }] },
  phase: { phase: 'dual' },
} as unknown as RouteState;
const heartbeat = (boot: string, byQuery: number): Heartbeat => {
  const line = { byQuery, sweepNeeded: 0, unknownOutcomes: 0, dropped: 0 } as MemberRoute;
  return { schema: 1, member: 'pod-1', boot, version: '1', stale: false, routes: { [slug]: line } };
};
const departed = (byQuery: number): Membership => ({
  ...noMembers,
  departed: new Map([['b1', heartbeat('b1', byQuery)]]),
});
const lost: Membership = {
  ...noMembers,
  lost: new Map([['pod-1', { lostAtMs: 0, boot: 'b2', heartbeat: heartbeat('b2', 1) }]]),
};

/** What the authority says that it runs; each look takes the next answer. */
const authority = (...answers: (WriteTask[] | Error)[]) => {
  const asked: number[] = [];
  const listWriteTasks = async (): Promise<WriteTask[]> => {
    const answer = answers[asked.push(1) - 1] ?? [];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const endedBoots: string[] = [];
  const onEnded = async (boots: readonly string[]): Promise<void> => void endedBoots.push(...boots);
  const left = createLeftTasks({ clusters: { source: { listWriteTasks }, target: { listWriteTasks } }, onEnded });
  return { look: (view: Membership) => left.look(view, state), asked, endedBoots };
};
const named = (running: number) => [{ member: 'pod-1, which has gone', running }];
const ours = task('update-by-query [crossfade-products-e1]');

describe('a by-query that outlives its member', () => {
  test('is named as long as the authority runs it, then a sweep is asked for, and nobody asks any more', async () => {
    const { look, asked, endedBoots } = authority([ours], [ours], []);
    expect([await look(departed(1)), await look(departed(1))]).toEqual([named(1), named(1)]);
    expect(endedBoots).toEqual([]);
    expect([await look(departed(1)), await look(departed(1))]).toEqual([[], []]);
    expect({ asked: asked.length, endedBoots }).toEqual({ asked: 3, endedBoots: ['b1'] });
  });

  test('is named also when its member was lost', async () => {
    expect(await authority([task('delete-by-query [p1]')]).look(lost)).toEqual(named(1));
  });

  test('is named also when another process has come up under the name of its member', async () => {
    const replaced = { ...noMembers, replaced: new Map([['b1', heartbeat('b1', 1)]]) };
    expect(await authority([ours]).look(replaced)).toEqual(named(1));
  });

  test('counts as running while the authority cannot be asked', async () => {
    expect(await authority(new Error('gone')).look(departed(1))).toEqual(named(1));
  });

  test.each([
    ['another index', task('update-by-query [p10]')],
    ['one of a route whose name begins alike', task('update-by-query [crossfade-products-eu-e1]')],
    ['a part of such a task', task('update-by-query [p1]', { parent: 'n:0' })],
    ['another write', task('requests[1], indices[p1]', { action: 'indices:data/write/bulk' })],
  ])('is not taken for one when the authority runs %s', async (_, other) => {
    expect(await authority([other]).look(departed(1))).toEqual([]);
  });

  test('costs nothing when members leave in good order', async () => {
    const { look, asked } = authority();
    expect(await look(departed(0))).toEqual([]);
    expect(asked).toEqual([]);
  });

  test('is an event after which deletes need a sweep', () => {
    expect(totalEvents(foldEvents({}, departed(2), slug))).toBe(2);
    expect(totalEvents(foldEvents({}, departed(0), slug))).toBe(0);
  });
});
