/**
 * What people do to clusters and store past the sidecars while a migration runs: each thing is noticed by the leader, named
 * in the status, and bars a switch until it is mended.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deleteBucket, withNats } from '../integration/coordination/nats-admin.ts';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import { call } from './documents.ts';
import { buildWorld, type World } from './world.ts';

let world: World;
let urls: Awaited<ReturnType<typeof services>>;
beforeAll(async () => {
  urls = await services();
  world = await buildWorld({ agents: 1 });
  await world.until(({ safeToAdvance }) => safeToAdvance.ok, 'the gate to open');
}, 180_000);
afterAll(() => world?.close());

const alarmed = async (text: string | RegExp): Promise<void> => {
  const named = ({ alarms }: { alarms: string[] }) => alarms.some((alarm) => alarm.match(text) !== null);
  const { safeToAdvance } = await world.until(named, `an alarm that says ${text}`);
  expect(safeToAdvance.ok).toBe(false);
  expect(safeToAdvance.reasons.join()).toMatch(text);
  expect((await world.cli('status', world.slug)).out).toMatch(text);
};
const mended = (): Promise<unknown> =>
  world.until(({ alarms, safeToAdvance }) => alarms.length === 0 && safeToAdvance.ok, 'the gate to open again');

test('a foreign writer on the follower is noticed, and what it wrote bars a switch until it is repaired', async () => {
  const { target } = world.names;
  // Documents that the clients leave alone, one there and one not.
  const told = world.recorder.begin({ kind: 'set', id: 'mine', value: 'mine' });
  await call(`${world.members[0]!.process.url}/${world.slug}/_doc/mine`, 'PUT', { value: 'mine' });
  world.recorder.settle(told, 'acknowledged', '201');
  await eventually(async () => (await fetch(`${urls.targetUrl}/${target}/_doc/mine`)).ok, { what: 'the copy' });
  await call(`${urls.targetUrl}/${target}/_doc/mine?refresh=true`, 'PUT', { value: 'theirs' });
  await call(`${urls.targetUrl}/${target}/_doc/theirs?refresh=true`, 'PUT', { value: 'theirs' });
  await alarmed(new RegExp(`somebody else writes to ${target} on the target: 2 documents`));
  expect(await world.cli('repair', world.slug, '--force', '--wait', '--yes')).toMatchObject({ exit: 0 });
  await mended();
  expect(await call(`${urls.targetUrl}/${target}/_doc/mine`, 'GET')).toMatchObject({ _source: { value: 'mine' } });
}, 300_000);

test('a mapping changed on one side is noticed, and is in order once the other side has it too', async () => {
  const field = { properties: { price: { type: 'scaled_float', scaling_factor: 100 } } };
  await call(`${urls.targetUrl}/${world.names.target}/_mapping`, 'PUT', field);
  await alarmed(/the mapping was changed on one side.*price\.type: absent -> "scaled_float"/);
  await call(`${urls.sourceUrl}/${world.names.source}/_mapping`, 'PUT', field);
  await mended();
}, 300_000);

test('an alias of the application that somebody moves is noticed', async () => {
  const { slug, names } = world;
  const move = (alias: string, from: string, to: string) =>
    call(`${urls.sourceUrl}/_aliases`, 'POST', {
      actions: [{ remove: { index: from, alias } }, { add: { index: to, alias } }],
    });
  await call(`${urls.sourceUrl}/${names.source}-other`, 'PUT', { settings: { number_of_replicas: 0 } });
  await move(slug, names.source, `${names.source}-other`);
  await alarmed(`somebody moved ${slug} on the source`);
  await move(slug, `${names.source}-other`, names.source);
  await mended();
  await fetch(`${urls.sourceUrl}/${names.source}-other`, { method: 'DELETE' });
}, 300_000);

test('an alias of Crossfade that somebody removes is noticed, and copies wait until it is back', async () => {
  const { slug, names } = world;
  const copies = `crossfade-${slug}-c1`;
  await call(`${urls.targetUrl}/_aliases`, 'POST', { actions: [{ remove: { index: names.target, alias: copies } }] });
  await alarmed(`somebody moved ${copies} on the target`);
  const add = { index: names.target, alias: copies, is_write_index: true, is_hidden: true };
  await call(`${urls.targetUrl}/_aliases`, 'POST', { actions: [{ add }] });
  await mended();
}, 300_000);

test('a target that was deleted and created again is noticed, and a new stay in dual fills it', async () => {
  const { slug, names } = world;
  await call(`${urls.targetUrl}/${names.target}`, 'DELETE');
  await call(`${urls.targetUrl}/${names.target}`, 'PUT', { settings: { number_of_replicas: 0 } });
  await alarmed(new RegExp(`on the target, ${names.target}: UUID was`));
  expect(await world.cli('phase', slug, 'observe', '--yes')).toMatchObject({ exit: 0 });
  expect(await world.cli('phase', slug, 'dual')).toMatchObject({ exit: 0 });
  await mended();
  await world.load.acknowledges(60);
  expect(await world.verdict()).toEqual([]);
}, 300_000);

test('a source that was deleted is noticed, and its writes are refused instead of making an index of the alias', async () => {
  const { slug, names } = world;
  await call(`${urls.sourceUrl}/${names.source}`, 'DELETE');
  await alarmed(`${names.source}: the index does not exist`);
  const answer = await fetch(`${world.members[0]!.process.url}/${slug}/_doc/a`, {
    method: 'PUT',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  });
  expect(answer.status).toBe(404);
  expect((await fetch(`${urls.sourceUrl}/crossfade-${slug}-e1`)).status).toBe(404);
}, 300_000);

test('a bucket that was deleted is noticed by the agents, named by the command line, and not made anew', async () => {
  await deleteBucket(urls.natsUrl, world.slug);
  const metrics = async () => (await fetch(`${world.members[0]!.process.adminUrl}/metrics`)).text();
  await eventually(async () => /^crossfade_store_alarm 1$/m.test(await metrics()), {
    timeoutMs: 60_000,
    what: 'the alarm of the store',
  });
  const { exit, out, err } = await world.cli('status', world.slug);
  expect(exit).not.toBe(0);
  expect(out + err).toContain(`bucket ${world.slug} is gone while members are alive`);
  const streams = await withNats(urls.natsUrl, async (connection) => {
    const manager = await jetstreamManager(connection);
    return manager.streams.names(`$KV.${world.slug}.>`).next();
  });
  expect(streams).toEqual([]);
}, 120_000);
