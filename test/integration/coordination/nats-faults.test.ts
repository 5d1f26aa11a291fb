/** What a store on NATS does when the server stops, stalls, forgets, or is another one. Each test has a server of its own. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NatsConfig } from '../../../src/config.ts';
import { casAndConfirm } from '../../../src/coordination/cas.ts';
import { createMembers } from '../../../src/coordination/members.ts';
import { type NatsStore, openNatsStore } from '../../../src/coordination/nats-store.ts';
import type { Change } from '../../../src/coordination/ports.ts';
import { createProcessList } from '../../../src/coordination/process-list.ts';
import { type RouteWatcher, startRouteWatcher } from '../../../src/coordination/route-watcher.ts';
import { silentLogger } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/services/child.ts';
import { describeOnNats } from '../../support/own-nats.ts';
import { startNats } from '../../support/services.ts';
import { deleteBucket, kvPut, withNats } from './nats-admin.ts';

type Nats = Awaited<ReturnType<typeof startNats>>;

const bucket = 'crossfade';
const spec = JSON.stringify({ route: 'products', indices: [{ source: 'p1', target: 'p2' }] });
const read = 'rt.products.pct.read';

let dir: string;
let port: number;
let url: string;
let cleanUps: (() => Promise<unknown>)[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'crossfade-fault-'));
  mkdirSync(join(dir, 'data'));
  port = await freePort();
  url = `nats://127.0.0.1:${port}`;
  cleanUps = [() => Promise.resolve(rmSync(dir, { recursive: true, force: true }))];
});
afterEach(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

const startServer = async (): Promise<Nats> => {
  const server = await startNats({ dir: join(dir, 'data'), port });
  cleanUps.push(() => server.stop());
  return server;
};
const kill = async (server: Nats): Promise<void> => {
  process.kill(server.pid, 'SIGKILL');
  await server.stop();
};
/** A signal takes effect a moment after it was sent. */
const stall = async ({ pid }: Nats): Promise<void> => {
  process.kill(pid, 'SIGSTOP');
  await eventually(() => execFileSync('ps', ['-o', 'state=', '-p', `${pid}`], { encoding: 'utf8' }).startsWith('T'));
};
const open = (options: Partial<Parameters<typeof openNatsStore>[0]> = {}): NatsStore => {
  const config = NatsConfig.parse({ servers: [url], bucket });
  const store = openNatsStore({
    config,
    member: 'm',
    logger: silentLogger(),
    timeoutMs: 1_000,
    pollMs: 200,
    ...options,
  });
  cleanUps.push(() => store.close());
  return store;
};
const openReady = async (options: Parameters<typeof open>[0] = {}): Promise<NatsStore> => {
  const store = open(options);
  await store.ready(20_000);
  return store;
};
const watch = async (store: NatsStore, member = 'a'): Promise<RouteWatcher> => {
  const watcher = await startRouteWatcher({
    store,
    cacheFile: join(dir, `${member}.json`),
    logger: silentLogger(),
    pollMs: 300,
  });
  cleanUps.push(() => watcher.close());
  return watcher;
};
const percent = (watcher: RouteWatcher) => watcher.current().get('products')?.percent.read;
const connected = (store: NatsStore) =>
  eventually(() => store.status().connected, { what: 'the store to be connected' });

describeOnNats('a server that takes connections and says nothing', () => {
  it('costs no socket for each attempt, neither at the start nor at a reconnect', async () => {
    const server = await startServer();
    const store = await openReady();
    await kill(server);
    const [taken, ended] = [new Set<Socket>(), new Set<Socket>()];
    const silent = createServer((socket) => {
      taken.add(socket);
      socket.on('close', () => ended.add(socket)).on('error', () => undefined);
    });
    await once(silent.listen(port, '127.0.0.1'), 'listening');
    cleanUps.push(async () => silent.close());
    open({ member: 'late' });
    // Of each of the two stores one attempt is under way, and those before it have ended.
    await eventually(() => ended.size >= 4 && taken.size - ended.size <= 2, { timeoutMs: 30_000 });
    expect(store.status().connected).toBe(false);
  });
});

describeOnNats('a server that is not there', () => {
  it('at the start: operations fail at once, cached routes are served, and all is well when it comes', async () => {
    const first = await startServer();
    const store = await openReady();
    await store.config.put('rt.products.cfg', spec);
    await store.config.put(read, '25');
    const before = await watch(store);
    await eventually(() => percent(before) === 25);
    await before.close();
    await kill(first);

    const late = open();
    const watcher = await watch(late);
    expect(watcher.status()).toMatchObject({ knowledge: 'cached', stale: true });
    expect(percent(watcher)).toBe(25);
    await expect(late.config.get(read)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(late.config.put(read, '99')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await late.config.update(read, '99', 1)).toEqual({ ok: false, reason: 'unavailable' });
    expect(late.status().connected).toBe(false);

    await startServer();
    await late.ready(20_000);
    await eventually(() => watcher.status().knowledge === 'live' && !watcher.status().stale);
    expect((await late.config.get(read))?.value).toBe('25');
  });

  it('for a while: nothing is lost, nothing written meanwhile is applied later, and news flow again', async () => {
    const server = await startServer();
    const store = await openReady();
    await store.config.put('rt.products.cfg', spec);
    const revision = await store.config.put(read, '25');
    const watcher = await watch(store);
    await eventually(() => percent(watcher) === 25);
    await kill(server);
    await eventually(() => !store.status().connected);
    const results = await Promise.all([...Array(5).keys()].map((i) => store.config.update(read, `9${i}`, revision)));
    expect(new Set(results.map((result) => !result.ok && result.reason))).toEqual(new Set(['unavailable']));
    await eventually(() => watcher.status().stale);
    expect(percent(watcher)).toBe(25);

    await startServer();
    await connected(store);
    expect(await store.config.get(read)).toEqual({ key: read, value: '25', revision });
    await withNats(url, (person) => kvPut(person, bucket, { key: read, value: '50\n' }));
    await eventually(() => percent(watcher) === 50);
    expect(watcher.status().alarm).toBeUndefined();
  });
});

describeOnNats('a server that stalls', () => {
  it('leaves a write in doubt, and confirming it ends with exactly one write', async () => {
    const server = await startServer();
    const store = await openReady({ timeoutMs: 300 });
    const revision = await store.config.put(read, '1');
    await stall(server);
    const plain = await store.config.update('rt.products.stop', 'on', 0);
    const patience = { now: () => performance.now(), deadlineMs: performance.now() + 30_000 };
    const confirmed = casAndConfirm(store.config, { key: read, value: '2', expected: revision }, patience);
    await expect(store.config.put('rt.products.rate', '1')).rejects.toMatchObject({
      code: expect.stringMatching(/^STORE_(OUTCOME_UNKNOWN|UNAVAILABLE)$/),
    });
    process.kill(server.pid, 'SIGCONT');
    expect(plain).toEqual({ ok: false, reason: 'unknown' });
    const result = await confirmed;
    expect(result.ok).toBe(true);
    await connected(store);
    const entry = await store.config.get(read);
    expect(entry).toEqual({ key: read, value: '2', revision: result.ok ? result.revision : -1 });
  });
});

describeOnNats('a bucket that vanishes', () => {
  it('is an alarm: the last good routes stay, nothing reads as empty, and it is not created again', async () => {
    await startServer();
    const store = await openReady();
    await store.config.put('rt.products.cfg', spec);
    await store.config.put(read, '25');
    const watcher = await watch(store);
    await eventually(() => percent(watcher) === 25);
    await deleteBucket(url, bucket);
    await eventually(() => store.status().alarm?.includes('vanished'));
    await expect(store.config.get(read)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(store.config.list('rt.')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await store.config.update('rt.products.phase', '{}', 0)).toEqual({ ok: false, reason: 'unavailable' });
    await eventually(() => watcher.status().stale);
    expect(percent(watcher)).toBe(25);
    expect(watcher.status().alarm).toContain('vanished');
    await expect(deleteBucket(url, bucket)).rejects.toThrow('stream not found');

    const restarted = open({ expectedIncarnation: store.status().incarnation });
    await expect(restarted.ready(3_000)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(deleteBucket(url, bucket)).rejects.toThrow('stream not found');
  });

  it('and comes back as another one is not believed, until it is given its old name back', async () => {
    await startServer();
    const store = await openReady();
    const { incarnation } = store.status();
    await store.config.put('rt.products.cfg', spec);
    await store.config.put(read, '25');
    const watcher = await watch(store);
    await eventually(() => percent(watcher) === 25);
    await deleteBucket(url, bucket);
    const stranger = await openReady();
    for (let i = 0; i < 10; i++) await stranger.config.put(read, '100');
    await eventually(() => store.status().alarm?.includes('another one'));
    await expect(store.config.get(read)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await store.config.update(read, '1', 10)).toEqual({ ok: false, reason: 'unavailable' });
    expect(percent(watcher)).toBe(25);
    expect(watcher.status().alarm).toContain('another one');
    await store.live.put('hb.x', 'still beating');

    await stranger.close();
    await withNats(url, async (person) => {
      await kvPut(person, bucket, { key: 'meta', value: JSON.stringify({ schema: 1, incarnation }) });
      await kvPut(person, bucket, { key: 'rt.products.cfg', value: spec });
      await kvPut(person, bucket, { key: read, value: '30' });
    });
    await eventually(() => percent(watcher) === 30);
    await eventually(() => store.status().alarm === undefined && !watcher.status().stale);
  });

  it('is made anew when it is the live one, and the members find one another again', async () => {
    await startServer();
    const members = await Promise.all(
      ['a', 'b'].map(async (member) => {
        const store = await openReady();
        const options = { live: store.live, member, boot: member, version: '1', logger: silentLogger(), beatMs: 200 };
        const joined = createMembers({ ...options, report: () => ({}), stale: () => false });
        await joined.join();
        cleanUps.push(() => joined.leave());
        return joined;
      }),
    );
    const all = () => members.every((member) => member.view().members.size === 2);
    await eventually(all);
    // The loss may last for a moment only, so it is noted when it happens.
    let noticed = false;
    for (const member of members)
      member.onChange(({ lost, watchingSinceMs }) => {
        noticed ||= lost.size > 0 || watchingSinceMs === undefined;
      });
    await deleteBucket(url, `${bucket}_live`);
    await eventually(() => noticed);
    await eventually(() => all() && members.every((member) => member.view().lost.size === 0));
  });

  it('takes the work queue with it without harm: it is made anew', async () => {
    await startServer();
    const store = await openReady();
    const queue = store.workQueue('products');
    const chunk = { index: 0, shard: 0, fromSeq: 0, toSeq: 9 };
    await queue.add([chunk]);
    const mark = await queue.mark();
    expect(await queue.remaining(mark)).toBe(1);
    await withNats(url, async (connection) => {
      await (await jetstreamManager(connection)).streams.delete(`${bucket}_work_products`);
    });
    expect(await queue.remaining(mark)).toBeUndefined();
    await queue.next(1_000).catch(() => undefined);
    expect(await queue.remaining(mark)).toBeUndefined();
    await queue.add([chunk]);
    const delivery = await eventually(() => queue.next(1_000));
    expect(delivery.chunk).toEqual(chunk);
    await delivery.ack();
  });
});

describeOnNats('a server that lost everything', () => {
  const wipe = async (server: Nats): Promise<void> => {
    await kill(server);
    rmSync(join(dir, 'data'), { recursive: true });
    mkdirSync(join(dir, 'data'));
  };

  it('is not begun anew by a new process while members live whose heartbeats had run out meanwhile', async () => {
    const server = await startServer();
    const store = await openReady();
    const processes = createProcessList({ bucket: store.config, member: 'a', boot: 'a' });
    let silentMs = 0;
    const members = createMembers({
      live: store.live,
      member: 'a',
      boot: 'a',
      version: '1',
      enlist: (again) => processes.enlist(['products'], again),
      report: () => ({}),
      stale: () => false,
      logger: silentLogger(),
      now: () => performance.now() + silentMs,
      beatMs: 200,
    });
    await members.join();
    cleanUps.push(() => members.leave());
    await wipe(server);
    silentMs = 9_000;
    await startServer();
    await eventually(() => store.status().alarm?.includes('vanished'));
    await expect(open().ready(6_000)).rejects.toMatchObject({
      message: expect.stringContaining('while members are alive'),
    });
    await expect(deleteBucket(url, bucket)).rejects.toThrow('stream not found');
  });

  it('is not begun anew by a new process that finds it before the members are back', async () => {
    await startServer();
    const late = open();
    const claim = { key: 'claim.a', value: 'a' };
    await eventually(() => withNats(url, (member) => kvPut(member, `${bucket}_live`, claim).then(() => true)));
    await expect(late.ready(6_000)).rejects.toMatchObject({
      message: expect.stringContaining('while members are alive'),
    });
    await expect(deleteBucket(url, bucket)).rejects.toThrow('stream not found');
  });
});

describeOnNats('a server that lost acknowledged writes', () => {
  it('is an alarm, and what was applied stays in force until newer revisions come', async () => {
    const server = await startServer();
    const store = await openReady();
    await store.config.put('rt.products.cfg', spec);
    await store.config.put(read, '10');
    await server.stop();
    cpSync(join(dir, 'data'), join(dir, 'old'), { recursive: true });
    const again = await startServer();
    await connected(store);
    for (const value of ['11', '12', '13', '25']) await store.config.put(read, value);
    const watcher = await watch(store);
    await eventually(() => percent(watcher) === 25);

    await again.stop();
    rmSync(join(dir, 'data'), { recursive: true });
    cpSync(join(dir, 'old'), join(dir, 'data'), { recursive: true });
    await startServer();
    await eventually(() => store.status().alarm?.includes('backwards'));
    await eventually(() => watcher.status().alarm !== undefined);
    expect(percent(watcher)).toBe(25);
    await eventually(async () => {
      await store.config.put(read, '30');
      return percent(watcher) === 30;
    });
    await eventually(() => store.status().alarm === undefined && watcher.status().alarm === undefined);
  });
});

describeOnNats('news', () => {
  it('reach three members by republished messages alone when a person puts bare bytes', async () => {
    await startServer();
    const stores = [await openReady(), await openReady(), await openReady()];
    await stores[0]?.config.put('rt.products.cfg', spec);
    const heard: Change[][] = stores.map(() => []);
    // No poll within the test: what arrives was pushed.
    const patient = await Promise.all(stores.map(() => openReady({ pollMs: 600_000 })));
    for (const [i, store] of patient.entries()) store.config.subscribe((change) => heard[i]?.push(change));
    const told = () => heard.map((changes) => changes.map((change) => change.value));
    await withNats(url, async (person) => {
      await kvPut(person, bucket, { key: read, value: '25\n' });
      await kvPut(person, bucket, { key: read, value: '' });
      await kvPut(person, bucket, { key: read, value: '50' });
    });
    await eventually(() => told().every((values) => values.length === 3));
    expect(told()).toEqual(Array(3).fill(['25\n', '', '50']));
  });

  it('tell of every way in which a key can go', async () => {
    await startServer();
    const republish = { src: `$KV.${bucket}.>`, dest: `${bucket}.evt.>` };
    await withNats(url, (admin) => new Kvm(admin).create(bucket, { history: 5, republish, markerTTL: 5_000 }));
    const store = await openReady();
    const changes = new Map<string, Change>();
    store.config.subscribe((change) => changes.set(change.key, change));
    const key = (way: string) => `rt.products.pct.${way}`;
    const subjectsOf = (name: string) =>
      withNats(url, async (person) => {
        const filter = { subjects_filter: `$KV.${bucket}.${name}` };
        const { state } = await (await jetstreamManager(person)).streams.info(`KV_${bucket}`, filter);
        return Object.keys(state.subjects ?? {});
      });
    const isGone = (way: string) =>
      eventually(() => changes.has(key(way)) && changes.get(key(way))?.value === undefined);
    await withNats(url, async (person) => {
      const bare = await new Kvm(person).open(bucket);
      for (const way of ['read', 'shadow', 'write']) await bare.put(key(way), '1');
      await bare.create(key('ttl'), '1', '1s');
      await eventually(() => ['read', 'shadow', 'write', 'ttl'].every((way) => changes.get(key(way))?.value === '1'));
      await bare.delete(key('read'));
      await bare.purge(key('shadow'));
      await (await jetstreamManager(person)).streams.purge(`KV_${bucket}`, { filter: `$KV.${bucket}.${key('write')}` });
      for (const way of ['read', 'shadow', 'write', 'ttl']) await isGone(way);
    });
    expect(changes.get(key('read'))?.expired).toBeUndefined();
    expect(changes.get(key('shadow'))?.expired).toBeUndefined();
    expect([changes.get(key('write'))?.expired, changes.get(key('ttl'))?.expired]).toEqual([true, true]);
    expect(await store.config.list('rt.')).toEqual([]);
    await store.config.put(key('erased'), '1');
    await eventually(() => changes.get(key('erased'))?.value === '1');
    await (await openReady()).config.erase?.(key('erased'));
    await isGone('erased');
    expect(await subjectsOf(key('erased'))).toEqual([]);
    expect(await store.config.update(key('ttl'), '2', 0)).toMatchObject({ ok: true });
  });
});
