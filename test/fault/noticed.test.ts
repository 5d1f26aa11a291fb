/**
 * What people do to clusters and store past the sidecars while a migration runs: each thing is noticed by the leader, named
 * in the status, and bars a switch until it is mended. Most of the time goes into waiting for alarms and proofs, so two
 * routes are disturbed side by side.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deleteBucket, withNats } from '../integration/coordination/nats-admin.ts';
import { must } from '../support/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import { call } from './documents.ts';
import { buildWorld, type World } from './world.ts';

let urls: Awaited<ReturnType<typeof services>>;
let one: World;
let other: World;
beforeAll(async () => {
  urls = await services();
  [one, other] = await Promise.all([buildWorld({ agents: 1 }), buildWorld({ agents: 1 })]);
  await Promise.all([one, other].map(mended));
}, 240_000);
afterAll(() => Promise.all([one?.close(), other?.close()]));

const alarmed = async (world: World, text: string | RegExp): Promise<void> => {
  const named = ({ alarms }: { alarms: string[] }) => alarms.some((alarm) => alarm.match(text) !== null);
  const { safeToAdvance } = await world.until(named, `an alarm that says ${text}`);
  expect(safeToAdvance.ok).toBe(false);
  expect(safeToAdvance.reasons.join()).toMatch(text);
  expect((await world.cli('status', world.slug)).out).toMatch(text);
};
const mended = (world: World): Promise<unknown> =>
  world.until(({ alarms, safeToAdvance }) => alarms.length === 0 && safeToAdvance.ok, 'the gate to open again');

const foreignWriter = async (world: World): Promise<void> => {
  const { target } = world.names;
  // Documents that the clients leave alone, one there and one not.
  const told = world.recorder.begin({ kind: 'set', id: 'mine', value: 'mine' });
  await call(`${world.members[0]!.process.url}/${world.slug}/_doc/mine`, 'PUT', { value: 'mine' });
  world.recorder.settle(told, 'acknowledged', '201');
  await eventually(async () => (await fetch(`${urls.targetUrl}/${target}/_doc/mine`)).ok, { what: 'the copy' });
  await call(`${urls.targetUrl}/${target}/_doc/mine?refresh=true`, 'PUT', { value: 'theirs' });
  await call(`${urls.targetUrl}/${target}/_doc/theirs?refresh=true`, 'PUT', { value: 'theirs' });
  await alarmed(world, new RegExp(`somebody else writes to ${target} on the target: 2 documents`));
  await must(world.cli('repair', world.slug, '--force', '--wait', '--yes'));
  await mended(world);
  expect(await call(`${urls.targetUrl}/${target}/_doc/mine`, 'GET')).toMatchObject({ _source: { value: 'mine' } });
};

const changedMapping = async (world: World): Promise<void> => {
  const field = { properties: { price: { type: 'scaled_float', scaling_factor: 100 } } };
  await call(`${urls.targetUrl}/${world.names.target}/_mapping`, 'PUT', field);
  await alarmed(world, /the mapping was changed on one side.*price\.type: absent -> "scaled_float"/);
  await call(`${urls.sourceUrl}/${world.names.source}/_mapping`, 'PUT', field);
  await mended(world);
};

const movedAlias = async (world: World): Promise<void> => {
  const { slug, names } = world;
  const move = (alias: string, from: string, to: string) =>
    call(`${urls.sourceUrl}/_aliases`, 'POST', {
      actions: [{ remove: { index: from, alias } }, { add: { index: to, alias } }],
    });
  await call(`${urls.sourceUrl}/${names.source}-other`, 'PUT', { settings: { number_of_replicas: 0 } });
  await move(slug, names.source, `${names.source}-other`);
  await alarmed(world, `somebody moved ${slug} on the source`);
  await move(slug, `${names.source}-other`, names.source);
  await mended(world);
  await fetch(`${urls.sourceUrl}/${names.source}-other`, { method: 'DELETE' });
};

const removedAlias = async (world: World): Promise<void> => {
  const { slug, names } = world;
  const copies = `crossfade-${slug}-c1`;
  await call(`${urls.targetUrl}/_aliases`, 'POST', { actions: [{ remove: { index: names.target, alias: copies } }] });
  await alarmed(world, `somebody moved ${copies} on the target`);
  const add = { index: names.target, alias: copies, is_write_index: true, is_hidden: true };
  await call(`${urls.targetUrl}/_aliases`, 'POST', { actions: [{ add }] });
  await mended(world);
};

const recreatedTarget = async (world: World): Promise<void> => {
  const { slug, names } = world;
  await call(`${urls.targetUrl}/${names.target}`, 'DELETE');
  await call(`${urls.targetUrl}/${names.target}`, 'PUT', { settings: { number_of_replicas: 0 } });
  await alarmed(world, new RegExp(`on the target, ${names.target}: UUID was`));
  await must(world.cli('phase', slug, 'observe', '--yes'));
  await must(world.cli('phase', slug, 'dual'));
  await mended(world);
  await world.load.acknowledges(60);
  expect(await world.verdict()).toEqual([]);
};

test('a foreign writer on the follower is noticed, and on another route an alias of Crossfade that somebody removes', async () => {
  await Promise.all([foreignWriter(one), removedAlias(other)]);
}, 300_000);

test('a changed mapping and a moved alias are noticed, and on another route a target that was created again', async () => {
  const onOne = async (): Promise<void> => {
    await changedMapping(one);
    await movedAlias(one);
  };
  await Promise.all([onOne(), recreatedTarget(other)]);
}, 300_000);

test('a source that was deleted is noticed, and its writes are refused instead of making an index of the alias', async () => {
  const { slug, names } = one;
  await call(`${urls.sourceUrl}/${names.source}`, 'DELETE');
  await alarmed(one, `${names.source}: the index does not exist`);
  const answer = await fetch(`${one.members[0]!.process.url}/${slug}/_doc/a`, {
    method: 'PUT',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  });
  expect(answer.status).toBe(404);
  expect((await fetch(`${urls.sourceUrl}/crossfade-${slug}-e1`)).status).toBe(404);
}, 300_000);

test('a bucket that was deleted is noticed by the agents, named by the command line, and not made anew', async () => {
  await deleteBucket(urls.natsUrl, one.slug);
  const metrics = async () => (await fetch(`${one.members[0]!.process.adminUrl}/metrics`)).text();
  await eventually(async () => /^crossfade_store_alarm 1$/m.test(await metrics()), {
    timeoutMs: 60_000,
    what: 'the alarm of the store',
  });
  const { exit, out, err } = await one.cli('status', one.slug);
  expect(exit).not.toBe(0);
  expect(out + err).toContain(`bucket ${one.slug} is gone while members are alive`);
  const streams = await withNats(urls.natsUrl, async (connection) => {
    const manager = await jetstreamManager(connection);
    return manager.streams.names(`$KV.${one.slug}.>`).next();
  });
  expect(streams).toEqual([]);
}, 120_000);
