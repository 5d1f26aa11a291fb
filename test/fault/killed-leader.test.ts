/**
 * kill -9 of the leader at each labelled point of a switch, under load: before the commit its successor gives the writes
 * back, after it the successor finishes what was begun. Another agent takes each victim's place, as a new pod does. Most
 * of the time goes into leases that run out, so two worlds share it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SwitchPoint } from '../../src/agent/leader/switch.ts';
import type { RouteStatus } from '../../src/fleet/fleet-status.ts';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import type { Ran } from '../support/agent-process.ts';
import { buildWorld, type Member, type World } from './world.ts';

const worlds: World[] = [];
beforeAll(async () => {
  worlds.push(...(await Promise.all([buildWorld(), buildWorld()])));
}, 240_000);
afterAll(() => Promise.all(worlds.map((world) => world.close())));

type Kill = { at: SwitchPoint; ask: string[] };

/** The leader that stands at a point of a switch; a switch that is refused or given up before it is asked for again. */
const leaderAt = async (world: World, { at, ask }: Kill): Promise<Member> => {
  const safe = (now: RouteStatus) => (ask[0] === 'rollback' ? now.safeToRollBack : now.safeToAdvance).ok;
  const standing = world.standsAt(at);
  const ends: Ran[] = [];
  for (let tries = 0; tries < 3; tries++) {
    await world.until(safe, `the gate to open before ${at}`);
    const ended = world.cli(...ask, world.slug, '--wait', '--yes');
    const first = await Promise.race([standing, ended]);
    if ('leader' in first) return first.leader;
    ends.push(first);
  }
  throw new Error(`no switch came to ${at}: ${JSON.stringify(ends)}`);
};

/** Asks for a switch whose leader dies at a point of it; the status once another process leads. */
const killLeader = async (world: World, { at, ask }: Kill): Promise<RouteStatus> => {
  const victim = await leaderAt(world, { at, ask });
  await world.kill(victim);
  await world.join(`after-${at}`);
  const succeeded = ({ leader, gate, hold }: RouteStatus): boolean =>
    hold === null && leader !== null && leader !== victim.name && gate.length > 0;
  const now = await world.until(succeeded, `a successor of the leader killed at ${at}`);
  await world.load.acknowledges(20);
  return now;
};
const killBoth = (...kills: Kill[]) => Promise.all(worlds.map((world, i) => killLeader(world, kills[i]!)));
const source = { phase: 'dual', reign: 1, hold: null };

test.each([
  ['prepared', 'held'],
  ['drained', 'fenced'],
  ['proven', 'remembered'],
] as const)(
  'leaders killed when they have %s and %s leave the writes to the source',
  async (one, other) => {
    const kills = [one, other].map((at) => ({ at, ask: ['advance'] }));
    expect(await killBoth(...kills)).toMatchObject([source, source]);
  },
  240_000,
);

const fencesEpoch = async ({ slug }: World, epoch: number): Promise<boolean> => {
  const answer = await fetch(`${(await services()).sourceUrl}/_alias/crossfade-${slug}-e${epoch}`);
  return Object.keys((await answer.json()) as object).join() === 'crossfade-fence';
};

test('a leader killed when it has committed leaves the writes to the target, one that has rehearsed to the source', async () => {
  const { epoch: old } = await worlds[0]!.status();
  const after = killBoth({ at: 'committed', ask: ['advance'] }, { at: 'released', ask: ['advance', '--rehearse'] });
  expect(await after).toMatchObject([{ phase: 'target', reign: 2, hold: null }, source]);
  await eventually(() => fencesEpoch(worlds[0]!, old), { timeoutMs: 60_000, what: 'the fence of the old epoch' });
}, 240_000);

test('leaders killed when they have settled leave routes that switch on', async () => {
  const settled = (verb: string): Kill => ({ at: 'settled', ask: [verb] });
  expect(await killBoth(settled('rollback'), settled('advance'))).toMatchObject([
    { phase: 'dual', reign: 3, hold: null },
    { phase: 'target', reign: 2, hold: null },
  ]);
  const [one, other] = worlds as [World, World];
  expect(await Promise.all([one.switchTo('target'), other.switchTo('dual')])).toMatchObject([
    { phase: 'target', reign: 4 },
    { phase: 'dual', reign: 3 },
  ]);
}, 300_000);

test('after all these kills nothing acknowledged is lost, nothing has returned and no update was repeated', async () => {
  await Promise.all(worlds.map((world) => world.load.acknowledges(60)));
  expect(await Promise.all(worlds.map((world) => world.verdict()))).toEqual([[], []]);
}, 150_000);
