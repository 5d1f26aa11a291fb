/**
 * Two cutovers, a rollback and a rehearsal in a row under load, with an agent that joins at each labelled point of them:
 * nobody who writes notices, and whoever joined serves with the authority that the switch ended with.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SwitchPoint, switchPoints } from '../../src/agent/leader/switch.ts';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import { call } from './documents.ts';
import { unnoticed } from './standing.ts';
import { buildWorld, type Member, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  // A switch stands still while an agent starts, on a machine that others use too.
  world = await buildWorld({ route: { cutover: { budgetMs: 60_000 } }, patienceMs: 90_000 });
});
afterAll(() => world?.close());

const joinAt = async (point: SwitchPoint): Promise<void> => {
  const { goOn } = await world.standsAt(point);
  await world.join(`joined-${point}`);
  goOn();
};

/** What it writes is on the side that has the authority, at once. */
const serves = async ({ name, process }: Member, authority: 'source' | 'target'): Promise<void> => {
  const told = world.recorder.begin({ kind: 'set', id: name, value: name });
  await call(`${process.url}/${world.slug}/_doc/${name}`, 'PUT', { value: name });
  world.recorder.settle(told, 'acknowledged', '201');
  const url = (await services())[`${authority}Url`];
  expect(await call(`${url}/${world.names[authority]}/_doc/${name}`, 'GET')).toMatchObject({
    _source: { value: name },
  });
};

type Phase = 'target' | 'dual';
const settled = async (phase: Phase, points: readonly SwitchPoint[]): Promise<void> => {
  const newest = points.map((point) => world.named(`joined-${point}`));
  const follows = (epoch: number, joined: { phase?: string; epoch?: number } | undefined): boolean =>
    joined?.phase === phase && joined.epoch === epoch;
  await world.until(
    ({ hold, epoch, members }) =>
      hold === null &&
      newest.every(({ name }) =>
        follows(
          epoch,
          members.find(({ member }) => member === name),
        ),
      ),
    'those who joined to follow',
  );
  for (const member of newest) await serves(member, phase === 'target' ? 'target' : 'source');
  world.members.splice(0, world.members.length, ...world.members.filter((member) => !newest.includes(member)));
  expect(await Promise.all(newest.map(({ process }) => process.stop()))).toEqual(points.map(() => 0));
};

/** Half of the documents reach the follower through the tail alone, so that the ledger cannot vouch for them. */
const leaveToTail = (percent: string) => world.cli('route', 'set', `${world.slug}.pct.write`, percent);

const steps: { phase: Phase; points: SwitchPoint[]; percentWrite?: string; rehearsal?: true }[] = [
  { phase: 'target', points: ['held', 'proven', 'committed'] },
  { phase: 'dual', points: ['prepared', 'remembered', 'settled'] },
  { phase: 'dual', points: ['drained', 'fenced', 'released'], percentWrite: '50', rehearsal: true },
  { phase: 'target', points: [] },
];

test.each(steps)(
  'a switch to $phase is made under load although agents join at $points',
  async ({ phase, points, percentWrite, rehearsal }) => {
    await world.load.acknowledges(60);
    if (percentWrite !== undefined) await leaveToTail(percentWrite);
    const joined = Promise.all(points.map(joinAt));
    if (rehearsal === undefined) expect((await world.switchTo(phase)).phase).toBe(phase);
    else {
      await world.rehearse();
      await leaveToTail('100');
    }
    await joined;
    await settled(phase, points);
  },
  240_000,
);

test('a switch does not wait for a refresh that nobody makes, though writes do', async () => {
  const urls = await services();
  for (const side of ['source', 'target'] as const) {
    const path = `${urls[`${side}Url`]}/${world.names[side]}/_settings`;
    await call(path, 'PUT', { index: { refresh_interval: '-1' } });
  }
  const standing = world.standsAt('prepared');
  const switching = world.switchTo('dual');
  const { goOn } = await standing;
  const url = (world.members[0] as Member).process.url;
  const ids = Array.from({ length: 5 }, (_, i) => `waits-${i}`);
  const told = ids.map((id) => world.recorder.begin({ kind: 'set', id, value: id }));
  const writes = ids.map((id) => call(`${url}/${world.slug}/_doc/${id}?refresh=wait_for`, 'PUT', { value: id }));
  const written = async (): Promise<boolean> => {
    const found = ids.map((id) => call(`${urls.targetUrl}/${world.names.target}/_doc/${id}`, 'GET'));
    return (await Promise.all(found)).every((doc) => (doc as { found: boolean }).found);
  };
  await eventually(written, { timeoutMs: 30_000 });
  goOn();
  expect((await switching).phase).toBe('dual');
  await Promise.all(writes);
  for (const one of told) world.recorder.settle(one, 'acknowledged', '201');
}, 150_000);

test('after all that nothing is lost or repeated, nobody was failed, and agents have joined at every point', async () => {
  await world.load.acknowledges(60);
  expect((await world.status()).reign).toBe(5);
  expect(await world.verdict()).toEqual([]);
  // The port of an agent that has just been stopped.
  expect(unnoticed(world).filter((answer) => answer !== 'ECONNREFUSED')).toEqual([]);
  expect(steps.flatMap(({ points }) => points).sort()).toEqual([...switchPoints].sort());
}, 150_000);
