/** One agent loses NATS and nothing else, over a cutover that the others make: it serves on and must not split the data. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import { startTcpLink, type TcpLink } from './tcp-link.ts';
import { buildWorld, type Member, type World } from './world.ts';

let link: TcpLink;
let world: World;
let alone: Member;
beforeAll(async () => {
  const { hostname, port } = new URL((await services()).natsUrl);
  link = await startTcpLink({ host: hostname, port: Number(port) });
  world = await buildWorld({ agents: 2 });
  alone = await world.join('agent-alone', `nats://127.0.0.1:${link.port}`);
});
afterAll(async () => {
  await world?.close();
  link?.close();
});

test('an agent cut off from NATS over a cutover neither loses a write nor brings one back', async () => {
  await world.load.acknowledges(60);
  link.cut();
  const gone = async () => !(await world.status()).members.some(({ member }) => member === alone.name);
  await eventually(gone, { timeoutMs: 40_000, everyMs: 250, what: 'the heartbeat to expire' });
  expect((await world.switchTo('target')).phase).toBe('target');
  // A third of the clients still talks to it.
  await world.load.acknowledges(150);
  link.heal();
  const back = async () => {
    const { members, epoch } = await world.status();
    return members.some((member) => member.member === alone.name && member.epoch === epoch);
  };
  await eventually(back, { timeoutMs: 40_000, everyMs: 250, what: 'it to follow the new phase' });
  await world.load.acknowledges(60);
  expect(await world.verdict()).toEqual([]);
  const answers = Object.keys(world.recorder.refusals());
  expect(answers.filter((answer) => !/^(409|503 (FENCED|AUTHORITY_UNKNOWN|HOLD_TIMEOUT))$/.test(answer))).toEqual([]);
}, 150_000);
