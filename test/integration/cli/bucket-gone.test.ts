/**
 * Somebody deletes the bucket of the routes (`nats kv del` without a key does). Every command ends by itself and names the
 * bucket, whether it was begun before or after, none makes an empty one, and the agents serve on from what they know.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keys } from '../../../src/coordination/keys.ts';
import { exitCode } from '../../../src/exit-codes.ts';
import { openCliStore } from '../../../src/app/open-store.ts';
import { runHere } from '../../fault/random/commands.ts';
import { type AgentProcess, must, type Ran, startAgent } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';
import { deleteBucket, dropStreams, kvGet, kvPut, withNats } from '../coordination/nats-admin.ts';

const slug = uniqueName('gone');
const bucket = uniqueName('gone');
const [source, target] = [`${slug}_v1`, `${slug}_v2`];
const folder = mkdtempSync(join(tmpdir(), 'crossfade-gone-'));
const file = join(folder, 'route.json');
let urls: Awaited<ReturnType<typeof services>>;
let agent: AgentProcess;
let env: Record<string, string>;
/** What a backup of the bucket would hold. */
const kept: [string, string][] = [];

const cli = (...args: string[]): Promise<Ran> => runHere(args, env);
const onSource = (path: string, method: string, body?: unknown): Promise<Response> =>
  fetch(`${urls.sourceUrl}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
const inBucket = (key: string) => withNats(urls.natsUrl, (nats) => kvGet(nats, bucket, key));
const metrics = async (): Promise<string> => (await fetch(`${agent.adminUrl}/metrics`)).text();
const alarms = async (): Promise<boolean> => /^crossfade_store_alarm 1$/m.test(await metrics());
const bucketExists = (): Promise<boolean> =>
  withNats(urls.natsUrl, async (nats) => {
    const { streams } = await jetstreamManager(nats);
    return streams.info(`KV_${bucket}`).then(
      () => true,
      () => false,
    );
  });
/** A write through the agent, and its copy: both need the route. */
const isServed = async (id: string): Promise<void> => {
  const headers = { 'content-type': 'application/json' };
  const written = await fetch(`${agent.url}/${slug}/_doc/${id}`, { method: 'PUT', body: '{}', headers });
  expect(written.status).toBe(201);
  await eventually(async () => (await fetch(`${urls.targetUrl}/${target}/_doc/${id}`)).ok, { what: 'the copy' });
};

const stateDir = join(folder, 'state');
const start = (): Promise<AgentProcess> =>
  startAgent({ env: { ...env, CROSSFADE_MEMBER: 'gateway-0', CROSSFADE_STATE_DIR: stateDir } });
/** As an administrator does, by the words of docs/nats.md. */
const makeBucket = (): Promise<void> =>
  withNats(urls.natsUrl, async (nats) => {
    const republish = { src: `$KV.${bucket}.>`, dest: `${bucket}.evt.>` };
    await new Kvm(nats).create(bucket, { history: 32, republish });
  });

beforeAll(async () => {
  urls = await services();
  env = {
    CROSSFADE_NATS_SERVERS: urls.natsUrl,
    CROSSFADE_NATS_BUCKET: bucket,
    CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl,
    CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl,
  };
  await onSource(`/${source}`, 'PUT', { settings: { number_of_replicas: 0 }, aliases: { [slug]: {} } });
  const lines = Array.from({ length: 400 }, (_, i) => `{"index":{"_id":"d${i}"}}\n{"n":${i}}\n`).join('');
  await fetch(`${urls.sourceUrl}/${source}/_bulk?refresh=true`, {
    method: 'POST',
    body: lines,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  agent = await start();
  const spec = { route: slug, indices: [{ source, target }], aliases: [slug], createTarget: true };
  writeFileSync(file, JSON.stringify({ ...spec, targetSettings: { number_of_replicas: 0 } }));
  await must(cli('apply', '-f', file));
  await must(cli('phase', slug, 'dual'));
}, 180_000);
afterAll(async () => {
  await agent?.stop();
  await onSource(`/${source}`, 'DELETE');
  await fetch(`${urls.targetUrl}/${target}`, { method: 'DELETE' });
  await dropStreams(urls.natsUrl, bucket);
  rmSync(folder, { recursive: true, force: true });
});

const wait = ['--wait', '--yes'];
const commands: string[][] = [
  ['status'],
  ['status', slug],
  ['watch', slug],
  ['members'],
  ['audit', slug],
  ['doctor'],
  ['doctor', slug],
  ['apply', '-f', file],
  ['apply', '-f', file, '--dry-run'],
  ['route', 'set', `${slug}.pct.read`, '10'],
  ['route', 'reset', slug],
  ['route', 'delete', slug, '--yes'],
  ['phase', slug, 'observe', ...wait],
  ['advance', slug, ...wait],
  ['advance', slug, '--rehearse', ...wait],
  ['advance', slug, '--dry-run'],
  ['rollback', slug, ...wait],
  ['abort', slug, ...wait],
  ['pause', slug, ...wait],
  ['resume', slug, ...wait],
  ['finalize', slug, ...wait],
  ['verify', slug, ...wait],
  ['repair', slug, ...wait],
  ['discrepancies', slug],
  ['discrepancies', 'show', 'abc'],
  ['discrepancies', 'replay', 'abc'],
];
const titled = commands.map((args) => {
  const title = args.map((arg) => arg.replace(slug, '<route>').replace(file, '<file>')).join(' ');
  return [title, args] as const;
});
const saysSo = (name: string) => ({ exit: exitCode('store'), err: expect.stringContaining(`nats.bucket: ${name},`) });

describe('a bucket that is deleted', () => {
  test('ends a command that waits for its answer', async () => {
    await must(cli('route', 'set', `${slug}.rate`, '10'));
    const waiting = cli('verify', slug, '--mode', 'full', '--wait');
    await eventually(async () => (await inBucket(keys.job(slug, 'ask')))?.includes('"running"'), {
      what: 'a verification under way',
    });
    for (const key of [keys.meta, keys.config(slug), keys.phase(slug)]) kept.push([key, (await inBucket(key))!]);
    await deleteBucket(urls.natsUrl, bucket);
    expect(await waiting).toMatchObject(saysSo(bucket));
  }, 120_000);

  test('is an alarm at the agent, which serves on', async () => {
    await eventually(alarms, { what: 'the alarm' });
    await isServed('after');
  });

  test('is named by every later command, and none makes an empty one', async () => {
    const finding = `bucket ${bucket} is gone while members are alive: restore it, an empty one is refused`;
    const said = `crossfade: ${finding} (nats.bucket: ${bucket}, nats.servers: ${urls.natsUrl})\n`;
    // Each waits for its store for as long as all the others.
    const ran = await Promise.all(titled.map(async ([title, args]) => [title, await cli(...args)] as const));
    expect(ran).toEqual(titled.map(([title]) => [title, { exit: exitCode('store'), out: '', err: said }]));
    expect(await bucketExists()).toBe(false);
  }, 120_000);

  test('and made anew, empty, is refused by commands and agents alike', async () => {
    await makeBucket();
    expect(await cli('status')).toMatchObject(saysSo(bucket));
    expect(await cli('route', 'set', `${slug}.pct.read`, '10')).toMatchObject(saysSo(bucket));
    expect(await inBucket(keys.meta)).toBeUndefined();
    expect(await alarms()).toBe(true);
    await isServed('beside-an-empty-one');
  }, 60_000);

  test('and made anew from a backup is taken by an agent that starts without its cached state', async () => {
    await withNats(urls.natsUrl, async (nats) => {
      for (const [key, value] of kept) await kvPut(nats, bucket, { key, value });
    });
    await isServed('beside-an-older-one');
    await agent.stop();
    rmSync(stateDir, { recursive: true });
    agent = await start();
    await eventually(async () => !(await alarms()), { what: 'the end of the alarm' });
    await isServed('restored');
    expect(JSON.parse((await must(cli('status', slug, '--json'))).out)).toMatchObject({ phase: 'dual', epoch: 1 });
  }, 120_000);
});

describe('a bucket that is deleted once a command has opened the store', () => {
  const own = `${bucket}-own`;
  const ownEnv = () => ({ ...env, CROSSFADE_NATS_BUCKET: own });
  /** The store as the command finds it, and then no longer. */
  const openAndDelete: typeof openCliStore = async (config, options) => {
    const store = await openCliStore(config, options);
    await deleteBucket(urls.natsUrl, own);
    return store;
  };

  test.each(titled)(
    'is named by `%s`',
    async (_, args) => {
      await must(runHere(['apply', '-f', file], ownEnv()));
      expect(await runHere(args, ownEnv(), openAndDelete)).toMatchObject(saysSo(own));
    },
    60_000,
  );
});
