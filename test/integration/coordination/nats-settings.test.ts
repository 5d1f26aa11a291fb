/** Servers and buckets as other people set them up: fit, fit with limits, and unfit. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NatsConfig, TlsClient } from '../../../src/config.ts';
import { campaign } from '../../../src/coordination/lease.ts';
import { createMembers } from '../../../src/coordination/members.ts';
import { openNatsStore } from '../../../src/coordination/nats-store.ts';
import type { Change } from '../../../src/coordination/ports.ts';
import { startRouteWatcher } from '../../../src/coordination/route-watcher.ts';
import { silentLogger } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/services/child.ts';
import { describeOnNats } from '../../support/own-nats.ts';
import { services, startNats, uniqueName } from '../../support/services.ts';
import { dropStreams, kvPut, withNats } from './nats-admin.ts';

let natsUrl: string;
let bucket: string;
let cleanUps: (() => Promise<unknown>)[];
beforeEach(async () => {
  ({ natsUrl } = await services());
  bucket = uniqueName('settings');
  cleanUps = [() => dropStreams(natsUrl, bucket)];
});
afterEach(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

const open = (settings: Partial<NatsConfig> = {}, mayBegin = true) => {
  const config = NatsConfig.parse({ servers: [natsUrl], bucket, ...settings });
  const store = openNatsStore({ config, member: 'm', mayBegin, logger: silentLogger(), pollMs: 100, timeoutMs: 2_000 });
  cleanUps.push(() => store.close());
  return store;
};
type BucketOptions = Parameters<Kvm['create']>[1];
const createBucket = (name: string, options: BucketOptions = {}) =>
  withNats(natsUrl, (connection) => new Kvm(connection).create(name, options));
const streamConfig = (name: string) =>
  withNats(
    natsUrl,
    async (connection) => (await (await jetstreamManager(connection)).streams.info(`KV_${name}`)).config,
  );

describe('buckets that the store creates', () => {
  it('last, keep history and tell of changes; live entries expire', async () => {
    await open().ready(10_000);
    expect(await streamConfig(bucket)).toMatchObject({
      max_msgs_per_subject: 32,
      max_age: 0,
      storage: 'file',
      num_replicas: 1,
      republish: { src: `$KV.${bucket}.>`, dest: `${bucket}.evt.>` },
    });
    expect(await streamConfig(`${bucket}_live`)).toMatchObject({
      max_msgs_per_subject: 1,
      max_age: 15_000_000_000,
      republish: { src: `$KV.${bucket}_live.>`, dest: `${bucket}_live.evt.>` },
    });
  });

  it('are the same for many members that start together', async () => {
    const stores = await Promise.all(
      [...Array(6).keys()].map(async () => {
        const store = open();
        await store.ready(10_000);
        return store;
      }),
    );
    expect(new Set(stores.map((store) => store.status().incarnation)).size).toBe(1);
  });

  it('are not created when that is switched off', async () => {
    const store = open({ createBuckets: false });
    await expect(store.ready(1_500)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('createBuckets'),
    });
    await expect(streamConfig(bucket)).rejects.toThrow('stream not found');
    await createBucket(bucket);
    await createBucket(`${bucket}_live`, { ttl: 15_000 });
    await store.ready(10_000);
  });
});

const purge = (name: string) =>
  withNats(natsUrl, async (connection) => {
    await (await jetstreamManager(connection)).streams.purge(`KV_${name}`);
  });
const messagesIn = (name: string) =>
  withNats(natsUrl, async (connection) => {
    const { state } = await (await jetstreamManager(connection)).streams.info(`KV_${name}`);
    return state.messages;
  });

describe('whoever only looks', () => {
  it('creates no bucket', async () => {
    await expect(open({}, false).ready(1_500)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('does not exist: no agent has used it yet'),
    });
    await expect(streamConfig(`${bucket}_live`)).rejects.toThrow('stream not found');
  });

  it('writes nothing into an empty bucket', async () => {
    await open().ready(10_000);
    await purge(bucket);
    await expect(open({}, false).ready(1_500)).rejects.toMatchObject({ message: expect.stringContaining('is empty') });
    expect(await messagesIn(bucket)).toBe(0);
  });
});

it('a bucket that was purged while members are alive is not begun anew by whoever comes', async () => {
  const first = open();
  await first.ready(10_000);
  await first.live.put('hb.gateway-0', '{}');
  await purge(bucket);
  await expect(open().ready(1_500)).rejects.toMatchObject({
    message: `bucket ${bucket} has lost its contents while members are alive: restore it, an empty one is refused`,
  });
  expect(await messagesIn(bucket)).toBe(0);
});

describe('buckets that somebody else created', () => {
  it.each<[string, BucketOptions]>([
    ['tells nobody of changes', {}],
    ['tells of them without their values', { republish: { src: '>', dest: 'x.>', headers_only: true } }],
  ])('serve by polling when the stream %s', async (_, options) => {
    const republish = options?.republish && { ...options.republish, src: `$KV.${bucket}.>`, dest: `${bucket}.heads.>` };
    await createBucket(bucket, { history: 5, ...(republish && { republish }) });
    await createBucket(`${bucket}_live`, { ttl: 20_000 });
    const store = open();
    await store.ready(10_000);
    const changes: Change[] = [];
    store.config.subscribe((change) => changes.push(change));
    await withNats(natsUrl, (person) => kvPut(person, bucket, { key: 'rt.products.pct.read', value: '25' }));
    await eventually(() => changes.some((change) => change.value === '25'));
  });

  it('are listened to wherever they republish to', async () => {
    await createBucket(bucket, { republish: { src: `$KV.${bucket}.>`, dest: `${bucket}.elsewhere.>` } });
    await createBucket(`${bucket}_live`, { ttl: 15_000 });
    const config = NatsConfig.parse({ servers: [natsUrl], bucket });
    const store = openNatsStore({ config, member: 'm', logger: silentLogger(), pollMs: 600_000 });
    cleanUps.push(() => store.close());
    await store.ready(10_000);
    const changes: Change[] = [];
    store.config.subscribe((change) => changes.push(change));
    await withNats(natsUrl, (person) => kvPut(person, bucket, { key: 'rt.products.pct.read', value: '25' }));
    await eventually(() => changes.some((change) => change.value === '25'));
  });

  it.each<[string, BucketOptions, BucketOptions, RegExp]>([
    ['live entries never expire', {}, {}, /no TTL/],
    ['live entries expire before a lease does', {}, { ttl: 5_000 }, /shorter/],
    ['routes expire', { ttl: 60_000 }, { ttl: 15_000 }, /forget its routes/],
  ])('are refused when %s', async (_, lasting, live, message) => {
    await createBucket(bucket, lasting);
    await createBucket(`${bucket}_live`, live);
    const store = open();
    await expect(store.ready(10_000)).rejects.toMatchObject({
      code: 'STORE_UNSUPPORTED',
      message: expect.stringMatching(message),
    });
    expect(store.status()).toMatchObject({ connected: false, alarm: expect.stringMatching(message) });
    await expect(store.config.get('meta')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it("with a person's values in them already are taken over as they are", async () => {
    await createBucket(bucket, { history: 32 });
    await withNats(natsUrl, (person) => kvPut(person, bucket, { key: 'rt.products.pct.read', value: '25' }));
    const store = open();
    await store.ready(10_000);
    expect(store.status().incarnation).toBeDefined();
    expect((await store.config.get('rt.products.pct.read'))?.value).toBe('25');
  });
});

/** Passes everything on, but tells clients another version of the server. */
const pretending = async (version: string): Promise<string> => {
  const { hostname, port } = new URL(natsUrl);
  const server = createServer((client) => {
    const upstream = dial(Number(port), hostname);
    upstream.on('data', (data) =>
      client.write(data.toString('latin1').replace(/"version":"[^"]*"/, `"version":"${version}"`), 'latin1'),
    );
    client.on('data', (data) => upstream.write(data));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(async () => server.close());
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

describe('an old server', () => {
  it('with broken compare-and-set in replicated buckets is refused for them, before anything is created', async () => {
    const store = open({ servers: [await pretending('2.9.20')], replicas: 3 });
    await expect(store.ready(10_000)).rejects.toMatchObject({
      code: 'STORE_UNSUPPORTED',
      message: expect.stringContaining('2.9.21'),
    });
    await expect(streamConfig(`${bucket}_live`)).rejects.toThrow('stream not found');
  });

  it('serves a single replica', async () => {
    const store = open({ servers: [await pretending('2.9.20')] });
    await store.ready(10_000);
    expect(await store.config.update('k', 'v', 0)).toMatchObject({ ok: true });
  });
});

/** What a sidecar needs, and no more, where an administrator created the buckets. `*` stands for each stream of work. */
const sidecarPermissions = (name: string, member: string) => ({
  publish: [
    '$JS.API.STREAM.INFO.*',
    `$JS.API.STREAM.MSG.GET.KV_${name}`,
    `$JS.API.STREAM.MSG.GET.KV_${name}_live`,
    `$KV.${name}.>`,
    `$KV.${name}_live.hb.${member}`,
    `$KV.${name}_live.lease.>`,
    '$JS.API.STREAM.CREATE.*',
    '$JS.API.STREAM.PURGE.*',
    '$JS.API.CONSUMER.CREATE.*.workers',
    '$JS.API.CONSUMER.INFO.*.workers',
    '$JS.API.CONSUMER.MSG.NEXT.*.workers',
    '$JS.ACK.*.workers.>',
    `${name}.work.*`,
  ],
  subscribe: ['_INBOX.>', `${name}.evt.>`, `${name}_live.evt.>`],
});

describeOnNats('a server with accounts and permissions', () => {
  const start = async () => {
    const dir = mkdtempSync(join(tmpdir(), 'crossfade-auth-'));
    cleanUps.push(async () => rmSync(dir, { recursive: true }));
    mkdirSync(join(dir, 'data'));
    const users = [
      { user: 'admin', password: 'admin' },
      { user: 'sidecar', password: 'one', permissions: sidecarPermissions('crossfade', 'gateway-0') },
    ];
    writeFileSync(join(dir, 'server.conf'), JSON.stringify({ authorization: { users } }));
    const port = await freePort();
    const server = await startNats({ dir: join(dir, 'data'), port, extraArgs: ['-c', join(dir, 'server.conf')] });
    cleanUps.push(() => server.stop());
    const admin = await connect({ servers: [server.url], user: 'admin', pass: 'admin' });
    cleanUps.push(() => admin.close());
    await new Kvm(admin).create('crossfade', {
      history: 32,
      republish: { src: '$KV.crossfade.>', dest: 'crossfade.evt.>' },
    });
    await new Kvm(admin).create('crossfade_live', {
      ttl: 15_000,
      republish: { src: '$KV.crossfade_live.>', dest: 'crossfade_live.evt.>' },
    });
    return { server, admin, dir };
  };

  it('lets a sidecar do all its work with the documented permissions, and its secret change', async () => {
    const { server, admin, dir } = await start();
    const passwordFile = join(dir, 'password');
    writeFileSync(passwordFile, 'wrong\n');
    const store = open({
      servers: [server.url],
      bucket: 'crossfade',
      username: 'sidecar',
      passwordFile,
      createBuckets: false,
    });
    await expect(store.ready(1_000)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    writeFileSync(passwordFile, 'one\n');
    await store.ready(20_000);

    const watcher = await startRouteWatcher({ store, logger: silentLogger() });
    cleanUps.push(() => watcher.close());
    const common = { live: store.live, member: 'gateway-0', boot: 'boot', logger: silentLogger() };
    const members = createMembers({ ...common, version: '1', report: () => ({}), stale: () => false });
    const lease = campaign({ ...common, slug: 'products' });
    await members.join();
    await eventually(() => lease.isHeld());
    await new Kvm(admin)
      .open('crossfade')
      .then((kv) =>
        kv.put('rt.products.cfg', JSON.stringify({ route: 'products', indices: [{ source: 'p1', target: 'p2' }] })),
      );
    await eventually(() => watcher.current().has('products'));
    const queue = store.workQueue('products');
    await queue.add([{ index: 0, shard: 0, fromSeq: 0, toSeq: 9 }]);
    const delivery = await eventually(() => queue.next(1_000));
    delivery.working();
    await delivery.ack();
    await eventually(async () => (await queue.remaining()) === 0);
    await queue.purge(await queue.mark());
    await lease.release();
    await members.leave();
    expect((await store.live.list('')).map(({ key, value }) => [key, JSON.parse(value).leaving])).toEqual([
      ['hb.gateway-0', true],
    ]);
  });

  it('shows what is not allowed instead of waiting for it', async () => {
    const { server } = await start();
    const settings = { servers: [server.url], bucket: 'crossfade', username: 'sidecar', password: 'one' };
    const store = open({ ...settings, createBuckets: false });
    await store.ready(20_000);
    await expect(store.live.put('hb.another', 'x')).rejects.toMatchObject({
      code: 'STORE_UNSUPPORTED',
      message: expect.stringContaining('$KV.crossfade_live.hb.another'),
    });
  });
});

describeOnNats('a server with TLS that asks for a certificate', () => {
  const fixture = (name: string) => join(import.meta.dirname, '../../fixtures/tls', name);
  const caFile = fixture('ca.pem');
  const client = { certFile: fixture('client.pem'), keyFile: fixture('client.key') };
  const start = async (): Promise<string> => {
    const dir = mkdtempSync(join(tmpdir(), 'crossfade-tls-'));
    cleanUps.push(async () => rmSync(dir, { recursive: true }));
    const files = ['--tlscert', fixture('server.pem'), '--tlskey', fixture('server.key'), '--tlscacert', caFile];
    const server = await startNats({ dir, extraArgs: ['--tls', '--tlsverify', ...files] });
    cleanUps.push(() => server.stop());
    return server.url;
  };

  it.each<[string, Partial<TlsClient>, boolean]>([
    [
      'the authority, the name in the certificate and a client certificate',
      { ...client, caFile, serverName: 'cluster.example' },
      true,
    ],
    ['everything unverified', { ...client, verify: false }, true],
    ['no authority', { ...client, serverName: 'cluster.example' }, false],
    ['a name that is not in the certificate', { ...client, caFile, serverName: 'another.example' }, false],
    ['no client certificate', { caFile, serverName: 'cluster.example' }, false],
  ])('and a client with %s', async (_, tls, connects) => {
    const store = open({ servers: [await start()], tls: TlsClient.parse(tls) });
    const ready = store.ready(connects ? 10_000 : 1_500);
    if (connects) await ready;
    else await expect(ready).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});
