/**
 * An agent of one route loses NATS and nothing else over a cutover that the others make: it serves on and must not split the
 * data. The leader of another is stopped in the middle of a cutover, for longer than its lease and heartbeat live: another
 * leads, gives the writes back and makes the cutover, and the sleeper wakes one step before its own commit. Both take as
 * long as a heartbeat lives, so they happen side by side.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { services } from '../support/services.ts';
import { unnoticed } from './standing.ts';
import { startTcpLink, type TcpLink } from './tcp-link.ts';
import { buildWorld, type Member, type World } from './world.ts';

let link: TcpLink;
let cut: World;
let alone: Member;
let slept: World;
let sleeper: Member;
beforeAll(async () => {
  const { hostname, port } = new URL((await services()).natsUrl);
  link = await startTcpLink({ host: hostname, port: Number(port) });
  [cut, slept] = await Promise.all([buildWorld({ agents: 2 }), buildWorld()]);
  alone = await cut.join('agent-alone', `nats://127.0.0.1:${link.port}`);
}, 240_000);
afterAll(async () => {
  await Promise.all([cut?.close(), slept?.close()]);
  link?.close();
});

const follows = (world: World, { name }: Member): Promise<unknown> =>
  world.until(
    ({ members, epoch }) => members.some((member) => member.member === name && member.epoch === epoch),
    `${name} to follow the new phase`,
  );

const cutOff = async (): Promise<void> => {
  await cut.load.acknowledges(60);
  link.cut();
  const gone = `the heartbeat of ${alone.name} to expire`;
  await cut.until(({ members }) => !members.some(({ member }) => member === alone.name), gone);
  expect((await cut.switchTo('target')).phase).toBe('target');
  // A third of the clients still talks to it.
  await cut.load.acknowledges(150);
  link.heal();
  await follows(cut, alone);
};

const stopLeader = async (): Promise<void> => {
  await slept.load.acknowledges(60);
  await slept.until(({ safeToAdvance }) => safeToAdvance.ok, 'the gate to open');
  const remembered = slept.standsAt('remembered');
  const asked = slept.cli('advance', slept.slug, '--yes');
  const { leader, goOn } = await remembered;
  sleeper = leader;
  sleeper.process.signal('SIGSTOP');
  // It finds this when it wakes up, and goes on to its commit.
  goOn();
  // Clients with requests at the sleeper wait for their time-out; new ones find the others.
  slept.members.splice(slept.members.indexOf(sleeper), 1);
  await asked;
  await slept.until(
    (now) => now.hold === null && now.leader !== sleeper.name && now.gate.length > 0,
    'a successor that released the hold',
  );
  expect((await slept.switchTo('target')).phase).toBe('target');
};

test('an agent is cut off from NATS over a cutover, and another leads when a leader stops just before its commit', async () => {
  await Promise.all([cutOff(), stopLeader()]);
}, 300_000);

test('an agent that was cut off has neither lost a write nor brought one back', async () => {
  await cut.load.acknowledges(60);
  expect(await cut.verdict()).toEqual([]);
  const told = unnoticed(cut).filter((answer) => !/^503 (FENCED|AUTHORITY_UNKNOWN|HOLD_TIMEOUT)$/.test(answer));
  expect(told).toEqual([]);
}, 120_000);

test('what a stopped leader was asked to write before it noticed reaches the new authority or fails, and is never lost', async () => {
  // In its socket when it wakes up: it believes in the old phase until the store tells it otherwise.
  const writes = Array.from({ length: 20 }, (_, i) => {
    const operation = slept.recorder.begin({ kind: 'set', id: `asleep-${i}`, value: `asleep-${i}` });
    const answered = fetch(`${sleeper.process.url}/${slept.slug}/_doc/asleep-${i}`, {
      method: 'PUT',
      body: JSON.stringify({ value: `asleep-${i}` }),
      headers: { 'content-type': 'application/json' },
    });
    return answered.then(
      ({ status, ok }) => slept.recorder.settle(operation, ok ? 'acknowledged' : 'unknown', String(status)),
      () => undefined,
    );
  });
  sleeper.process.signal('SIGCONT');
  await Promise.all(writes);
  slept.members.push(sleeper);
  await follows(slept, sleeper);
  await slept.load.acknowledges(60);
  expect(await slept.verdict()).toEqual([]);
}, 120_000);
