/** Two cutovers and a rollback in a row, with an agent that joins on the way: nobody who writes notices. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await buildWorld();
});
afterAll(() => world?.close());

test('two cutovers and a rollback in a row under load lose nothing, repeat nothing and fail nobody', async () => {
  for (const phase of ['target', 'dual', 'target'] as const) {
    await world.load.acknowledges(60);
    expect((await world.switchTo(phase)).phase).toBe(phase);
    if (phase === 'dual') await world.join('agent-3');
  }
  await world.load.acknowledges(60);
  const { members, reign } = await world.status();
  expect(reign).toBe(4);
  expect(members.map(({ member }) => member)).toEqual(['agent-0', 'agent-1', 'agent-2', 'agent-3']);
  expect(await world.verdict()).toEqual([]);
  // Two updates of one document may meet: the storage answers 409, and the client knows.
  expect(Object.keys(world.recorder.refusals()).filter((answer) => answer !== '409')).toEqual([]);
}, 150_000);
