/**
 * kill -9 of the leader at each labelled point of a switch, under load: before the commit its successor gives the writes
 * back, after it the successor finishes what was begun. Another agent takes each victim's place, as a new pod does. Most
 * of the time goes into leases that run out, so three worlds share it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RouteStatus } from '../../src/fleet/fleet-status.ts';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import { type Asked, standAt } from './standing.ts';
import { buildWorld, type World } from './world.ts';

const worlds: World[] = [];
beforeAll(async () => {
  worlds.push(...(await Promise.all([buildWorld(), buildWorld(), buildWorld()])));
}, 240_000);
afterAll(() => Promise.all(worlds.map((world) => world.close())));

/** Asks for a switch whose leader dies at a point of it; the status once another process leads. */
const killLeader = async (world: World, { at, ask }: Asked): Promise<RouteStatus> => {
  const { leader: victim } = await standAt(world, { at, ask });
  await world.kill(victim);
  await world.join(`after-${at}`);
  const succeeded = ({ leader, gate, hold }: RouteStatus): boolean =>
    hold === null && leader !== null && leader !== victim.name && gate.length > 0;
  const now = await world.until(succeeded, `a successor of the leader killed at ${at}`);
  await world.load.acknowledges(20);
  return now;
};
const killAll = (...kills: Asked[]) => Promise.all(worlds.map((world, i) => killLeader(world, kills[i]!)));
const source = { phase: 'dual', reign: 1, hold: null };
const target = { phase: 'target', reign: 2, hold: null };

test.each([[['prepared', 'held', 'drained']], [['fenced', 'proven', 'remembered']]] as const)(
  'leaders killed when they have %s leave the writes to the source',
  async (points) => {
    const kills = points.map((at) => ({ at, ask: ['advance'] }));
    expect(await killAll(...kills)).toMatchObject([source, source, source]);
  },
  240_000,
);

const fencesEpoch = async ({ slug }: World, epoch: number): Promise<boolean> => {
  const answer = await fetch(`${(await services()).sourceUrl}/_alias/crossfade-${slug}-e${epoch}`);
  return Object.keys((await answer.json()) as object).join() === 'crossfade-fence';
};

test('leaders killed when they have committed or settled leave the writes to the target, one that has rehearsed to the source', async () => {
  const { epoch: old } = await worlds[0]!.status();
  const ended = killAll(
    { at: 'committed', ask: ['advance'] },
    { at: 'settled', ask: ['advance'] },
    { at: 'released', ask: ['advance', '--rehearse'] },
  );
  expect(await ended).toMatchObject([target, target, source]);
  await eventually(() => fencesEpoch(worlds[0]!, old), { timeoutMs: 60_000, what: 'the fence of the old epoch' });
}, 240_000);

test('a leader killed when it has settled a rollback leaves the writes to the source, and the other routes switch on', async () => {
  const [one, two, three] = worlds as [World, World, World];
  const rollback = killLeader(one, { at: 'settled', ask: ['rollback'] });
  expect(await Promise.all([rollback, two.switchTo('dual'), three.switchTo('target')])).toMatchObject([
    { phase: 'dual', reign: 3, hold: null },
    { phase: 'dual', reign: 3 },
    target,
  ]);
}, 300_000);

test('after all these kills nothing acknowledged is lost, nothing has returned and no update was repeated', async () => {
  await Promise.all(worlds.map((world) => world.load.acknowledges(60)));
  expect(await Promise.all(worlds.map((world) => world.verdict()))).toEqual([[], [], []]);
}, 150_000);
