/**
 * An agent is stopped while its route is still off, for longer than its heartbeat lives: when it wakes up it writes to the
 * source by the index's own name, which no fence closes. So no copies begin before an operator has said that it is gone.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must } from '../support/agent-process.ts';
import { buildWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await buildWorld({ agents: 3, dual: false });
}, 240_000);
afterAll(async () => {
  await world?.close();
});

test('the move to dual is refused until the process is ended and forgotten, and loses no write then', async () => {
  await world.load.acknowledges(60);
  const sleeper = world.named('agent-2');
  sleeper.process.signal('SIGSTOP');
  world.members.splice(world.members.indexOf(sleeper), 1);
  await world.until(({ members }) => members.length === 2, 'its heartbeat to expire');
  const refused = await world.cli('phase', world.slug, 'dual');
  expect(refused).toMatchObject({ exit: 3, out: expect.stringContaining(`crossfade forget ${sleeper.name}`) });
  expect((await world.status()).phase).toBe('observe');
  sleeper.process.signal('SIGKILL');
  await sleeper.process.exit();
  await must(world.cli('forget', sleeper.name, '--yes'));
  await must(world.cli('phase', world.slug, 'dual'));
  expect((await world.switchTo('target')).phase).toBe('target');
  await world.load.acknowledges(60);
  expect(await world.verdict()).toEqual([]);
}, 300_000);
