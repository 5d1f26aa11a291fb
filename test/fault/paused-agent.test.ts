/**
 * SIGSTOP of the leader in the middle of a cutover, for longer than its lease and heartbeat live: another leads, gives the
 * writes back and makes the cutover. The sleeper wakes in a world that has moved on, one step before its own commit.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWorld, type Member, type World } from './world.ts';

let world: World;
let sleeper: Member;
beforeAll(async () => {
  world = await buildWorld();
});
afterAll(() => world?.close());

test('a leader stopped just before its commit is succeeded, and the cutover happens without it', async () => {
  await world.load.acknowledges(60);
  await world.until(({ safeToAdvance }) => safeToAdvance.ok, 'the gate to open');
  const remembered = world.standsAt('remembered');
  const asked = world.cli('advance', world.slug, '--yes');
  const { leader, goOn } = await remembered;
  sleeper = leader;
  sleeper.process.signal('SIGSTOP');
  // It finds this when it wakes up, and goes on to its commit.
  goOn();
  // Clients with requests at the sleeper wait for their time-out; new ones find the others.
  world.members.splice(world.members.indexOf(sleeper), 1);
  await asked;
  await world.until(
    (now) => now.hold === null && now.leader !== sleeper.name && now.gate.length > 0,
    'a successor that released the hold',
  );
  expect((await world.switchTo('target')).phase).toBe('target');
}, 240_000);

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
  await world.until(
    ({ members, epoch }) => members.some((member) => member.member === sleeper.name && member.epoch === epoch),
    'the sleeper to follow the new phase',
  );
  await world.load.acknowledges(60);
  expect(await world.verdict()).toEqual([]);
}, 120_000);
