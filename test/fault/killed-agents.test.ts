/** kill -9 of agents under load: of the leader in the middle of a switch, then of a member that the next switch waits for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { buildWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await buildWorld({ agents: 4 });
});
afterAll(() => world?.close());

const leader = (): Promise<string> =>
  eventually(async () => (await world.status()).leader, { timeoutMs: 40_000, everyMs: 200, what: 'a leader' });

test('a leader killed in the moment of the hold leaves writes to the others, and a later cutover succeeds', async () => {
  const ready = async () => (await world.status()).safeToAdvance.ok;
  await eventually(ready, { timeoutMs: 60_000, everyMs: 200, what: 'the gate to open' });
  const victim = world.named(await leader());
  let killed: Promise<void> | undefined;
  const unwatch = await world.onPhase(({ hold }) => {
    if (hold !== undefined) killed ??= world.kill(victim);
  });
  const asked = world.cli('advance', world.slug, '--yes');
  await eventually(() => killed !== undefined, { timeoutMs: 20_000, what: 'the hold' });
  await Promise.all([killed, asked]);
  await unwatch();

  const successor = async () => {
    const now = await world.status();
    return now.leader !== null && now.leader !== victim.name && now.hold === null;
  };
  await eventually(successor, { timeoutMs: 40_000, everyMs: 200, what: 'a successor that released the hold' });
  await world.load.acknowledges(60);
  expect(await world.switchTo('target')).toMatchObject({ phase: 'target', hold: null });
}, 150_000);

test('a member killed under load does not keep the next switch from proving both sides equal', async () => {
  const leading = await leader();
  const victim = world.members.find(({ name }) => name !== leading)!;
  await world.load.acknowledges(60);
  await world.kill(victim);
  expect((await world.switchTo('dual')).phase).toBe('dual');
  // The leader's report follows the phase record.
  const report = await eventually(async () => (await world.status()).lastCutover, { what: 'the report' });
  expect(report).toMatchObject({ kind: 'rollback', result: 'committed', path: 'fenced' });
  await world.load.acknowledges(60);
}, 120_000);

test('after both kills nothing acknowledged is lost, nothing has returned and no update was repeated', async () => {
  expect(await world.verdict()).toEqual([]);
}, 90_000);
