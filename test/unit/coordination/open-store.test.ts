import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Config } from '../../../src/config.ts';
import { openStore, routeCacheFile, routeCacheOrigin } from '../../../src/coordination/open-store.ts';
import { writeRouteCache } from '../../../src/coordination/route-cache.ts';
import { silentLogger } from '../../../src/log.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'crossfade-open-'));
});
afterEach(() => rm(directory, { recursive: true }));

const clusters = { source: { url: 'http://127.0.0.1:9201' } };
const config = (settings: object) =>
  Config.parse({ clusters, store: { file: join(directory, 'state.json') }, ...settings });
const open = (settings: object) => openStore(config(settings), { member: 'm', logger: silentLogger() });
const route = (target: string) => ({ route: 'products', indices: [{ source: 'p1', target }] });

describe('the store that the configuration asks for', () => {
  it('is the file unless NATS is configured, and needs no cache beside it', async () => {
    const store = await open({});
    expect(store.status()).toMatchObject({ kind: 'file', connected: true });
    expect(routeCacheFile(config({}))).toBeUndefined();
    await store.close();
  });

  it('gets the configured routes once: what was changed since stays', async () => {
    const first = await open({ routes: [route('p2')] });
    const read = async (store: typeof first) => JSON.parse((await store.config.get('rt.products.cfg'))?.value ?? '{}');
    expect(await read(first)).toMatchObject({ indices: [{ target: 'p2' }] });
    const revision = (await first.config.get('rt.products.cfg'))?.revision;
    await first.close();
    const second = await open({ routes: [route('p3')] });
    expect(await read(second)).toMatchObject({ indices: [{ target: 'p2' }] });
    expect((await second.config.get('rt.products.cfg'))?.revision).toBe(revision);
    await second.close();
  });

  it('is NATS when it is configured, opened without waiting for it, pinned to what the cache came from', async () => {
    const nats = { nats: { servers: ['nats://127.0.0.1:1'] }, stateDir: join(directory, 'state') };
    const cacheFile = routeCacheFile(config(nats));
    expect(cacheFile).toBe(join(directory, 'state', 'crossfade-routes.json'));
    await writeRouteCache(cacheFile ?? '', { incarnation: 'known', changes: [] });
    const store = await open(nats);
    expect(store.status()).toMatchObject({ kind: 'nats', connected: false, incarnation: 'known' });
    await store.close();
  });

  it.each<[string, object, string | undefined]>([
    ['the same one', {}, 'known'],
    ['the same one with another server beside it', { servers: ['nats://u:p@127.0.0.1:1', 'other:4222'] }, 'known'],
    ['another bucket', { bucket: 'second' }, undefined],
    ['a bucket of that name on other servers', { servers: ['other:4222'] }, undefined],
  ])('is not pinned to what an agent of another store left in the same folder: %s', async (_, other, incarnation) => {
    const settings = (nats: object) => ({ nats: { servers: ['nats://127.0.0.1:1'], ...nats }, stateDir: directory });
    const first = config(settings({}));
    const file = routeCacheFile(first) ?? '';
    await writeRouteCache(file, { incarnation: 'known', changes: [] }, routeCacheOrigin(first));
    const store = await open(settings(other));
    expect(store.status().incarnation).toBe(incarnation);
    await store.close();
    expect(await readFile(file, 'utf8')).not.toContain('u:p');
  });
});
