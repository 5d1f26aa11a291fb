/** Two cutovers and a rollback in a row, with an agent that joins at each step of them: nobody who writes notices. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SwitchPoint } from '../../src/agent/leader/switch.ts';
import { buildWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  // A switch stands still while an agent starts.
  world = await buildWorld({ route: { cutover: { budgetMs: 60_000 } } });
});
afterAll(() => world?.close());

const joinAt = async (point: SwitchPoint): Promise<void> => {
  const { goOn } = await world.standsAt(point);
  await world.join(`joined-${point}`);
  goOn();
};
/** The steps at which somebody joins, by switch. */
const steps: ['target' | 'dual', SwitchPoint[]][] = [
  ['target', ['prepared', 'drained']],
  ['dual', ['held', 'proven']],
  ['target', ['remembered', 'committed']],
];

test('two cutovers and a rollback under load, with agents that join on the way, lose nothing and fail nobody', async () => {
  for (const [phase, points] of steps) {
    await world.load.acknowledges(60);
    const joined = Promise.all(points.map(joinAt));
    expect((await world.switchTo(phase)).phase).toBe(phase);
    await joined;
    const newest = world.members.splice(-points.length);
    const { members } = await world.until(
      (now) => newest.every(({ name }) => now.members.find(({ member }) => member === name)?.phase === phase),
      'those who joined to follow',
    );
    expect(members.length).toBe(3 + points.length);
    expect(await Promise.all(newest.map(({ process }) => process.stop()))).toEqual(points.map(() => 0));
  }
  await world.load.acknowledges(60);
  expect((await world.status()).reign).toBe(4);
  expect(await world.verdict()).toEqual([]);
  // Two updates of one document may meet: the storage answers 409, and the client knows.
  const answers = Object.keys(world.recorder.refusals());
  expect(answers.filter((answer) => answer !== '409' && answer !== 'ECONNREFUSED')).toEqual([]);
}, 300_000);
