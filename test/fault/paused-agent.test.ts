/** SIGSTOP for longer than the heartbeat lives, over a cutover: the sleeper wakes in a world that has moved on. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { buildWorld, type Member, type World } from './world.ts';

let world: World;
let sleeper: Member;
beforeAll(async () => {
  world = await buildWorld();
});
afterAll(() => world?.close());

test('a cutover happens without an agent that is stopped for longer than its heartbeat lives', async () => {
  await world.load.acknowledges(60);
  const { leader } = await world.status();
  sleeper = world.members.find(({ name }) => name !== leader)!;
  sleeper.process.signal('SIGSTOP');
  // Clients with requests at the sleeper wait for their time-out; new ones find the others.
  world.members.splice(world.members.indexOf(sleeper), 1);
  const gone = async () => !(await world.status()).members.some(({ member }) => member === sleeper.name);
  await eventually(gone, { timeoutMs: 40_000, everyMs: 250, what: 'the heartbeat to expire' });
  expect((await world.switchTo('target')).phase).toBe('target');
}, 120_000);

test('what it was asked to write before it noticed reaches the new authority or fails, and is never lost', async () => {
  // In its socket when it wakes up: it believes in the old phase until the store tells it otherwise.
  const writes = Array.from({ length: 20 }, (_, i) => {
    const operation = world.recorder.begin({ kind: 'set', id: `asleep-${i}`, value: `asleep-${i}` });
    const answered = fetch(`${sleeper.process.url}/${world.slug}/_doc/asleep-${i}`, {
      method: 'PUT',
      body: JSON.stringify({ value: `asleep-${i}` }),
      headers: { 'content-type': 'application/json' },
    });
    return answered.then(
      ({ status, ok }) => world.recorder.settle(operation, ok ? 'acknowledged' : 'unknown', String(status)),
      () => undefined,
    );
  });
  sleeper.process.signal('SIGCONT');
  await Promise.all(writes);
  world.members.push(sleeper);
  const back = async () => {
    const { members, epoch } = await world.status();
    return members.some((member) => member.member === sleeper.name && member.epoch === epoch);
  };
  await eventually(back, { timeoutMs: 30_000, everyMs: 250, what: 'the sleeper to follow the new phase' });
  await world.load.acknowledges(60);
  expect(await world.verdict()).toEqual([]);
}, 120_000);
