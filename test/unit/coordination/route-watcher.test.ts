import { mkdtemp, readFile, rm, writeFile, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RouteStates } from '../../../src/coordination/ports.ts';
import { initialPhase, type MemberRoute } from '../../../src/coordination/records.ts';
import { nickname } from '../../../src/coordination/incarnation.ts';
import type { CacheOrigin } from '../../../src/coordination/route-cache.ts';
import { type RouteWatcher, startRouteWatcher } from '../../../src/coordination/route-watcher.ts';
import { silentLogger } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { heartbeatOf, memberLine } from '../../support/heartbeats.ts';
import { ManualTime } from './manual-time.ts';
import { type MemoryStore, memoryStore } from './memory-bucket.ts';

const spec = JSON.stringify({ route: 'products', indices: [{ source: 'p1', target: 'p2' }] });
const dual = JSON.stringify({ ...initialPhase, phase: 'dual', epoch: 3 });
const read = 'rt.products.pct.read';

let time: ManualTime;
let store: MemoryStore;
let directory: string;
beforeEach(async () => {
  time = new ManualTime();
  store = memoryStore(time);
  directory = await mkdtemp(join(tmpdir(), 'crossfade-watcher-'));
});
afterEach(() => rm(directory, { recursive: true }));

const fill = async (): Promise<void> => {
  await store.config.put('rt.products.cfg', spec);
  await store.config.put('rt.products.phase', dual);
  await store.config.put(read, '25');
};
const start = async (from: MemoryStore = store, cacheOrigin?: CacheOrigin) => {
  const cacheFile = join(directory, 'deep', 'routes.json');
  const watcher = await startRouteWatcher({
    store: from,
    cacheFile,
    cacheOrigin,
    logger: silentLogger(),
    now: time.now,
    timers: time.timers,
  });
  await time.settle();
  const seen: RouteStates[] = [];
  watcher.onChange((states) => seen.push(states));
  return { watcher, seen, cacheFile, percent: () => watcher.current().get('products')?.percent.read };
};

describe('the route watcher', () => {
  it('lists the routes at the start and hears of changes', async () => {
    await fill();
    const { watcher, seen, percent } = await start();
    expect(watcher.status()).toMatchObject({ knowledge: 'live', stale: false, staleMs: 0, incarnation: 'first' });
    expect(percent()).toBe(25);
    await store.config.put(read, '50');
    expect(seen.at(-1)?.get('products')?.percent.read).toBe(50);
    await watcher.close();
  });

  it('finds by listing what no news told, deletions too', async () => {
    await fill();
    store.config.silent = true;
    const { watcher, seen, percent } = await start();
    await store.config.put(read, '50');
    await time.advance(1_500);
    expect(percent()).toBe(50);
    await store.config.delete(read);
    await time.advance(1_500);
    expect(percent()).toBe(0);
    expect(seen).toHaveLength(2);
    await watcher.close();
  });

  it('knows nothing without store and cache, and says so', async () => {
    store.config.offline = true;
    const { watcher } = await start();
    expect(watcher.status()).toMatchObject({ knowledge: 'unknown', stale: true, staleMs: undefined });
    expect(watcher.current().size).toBe(0);
    await expect(watcher.refresh()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    store.config.offline = false;
    await fill();
    await time.advance(1_500);
    expect(watcher.status().knowledge).toBe('live');
    await watcher.close();
  });

  it('tells what came by subscription before the first listing once that has been made, though it changes nothing', async () => {
    store.config.offline = true;
    const { watcher, seen } = await start();
    store.config.offline = false;
    await fill();
    const before = { knowledge: watcher.status().knowledge, told: seen.length };
    await time.advance(1_500);
    expect(before).toEqual({ knowledge: 'unknown', told: 3 });
    expect(watcher.status().knowledge).toBe('live');
    expect(seen).toHaveLength(4);
    expect(seen.at(-1)?.get('products')?.percent.read).toBe(25);
    await watcher.close();
  });

  it('tells of the first listing of an empty store, and of no other', async () => {
    store.config.offline = true;
    const { watcher, seen } = await start();
    store.config.offline = false;
    await time.advance(1_500);
    await time.advance(1_500);
    expect(seen.map((states) => states.size)).toEqual([0]);
    await watcher.close();
  });

  it('keeps the last good state while the store is out of reach, and counts the time', async () => {
    await fill();
    const { watcher, percent } = await start();
    store.config.offline = true;
    await time.advance(20_000);
    expect(percent()).toBe(25);
    expect(watcher.status()).toMatchObject({ knowledge: 'live', stale: true, staleMs: 20_000 });
    store.config.offline = false;
    await time.advance(1_500);
    expect(watcher.status()).toMatchObject({ stale: false });
    await watcher.close();
  });

  it('serves the cached state after a restart without the store, and takes newer ones when it is back', async () => {
    await fill();
    const first = await start();
    await first.watcher.close();
    store.config.offline = true;
    const { watcher, percent } = await start();
    expect(watcher.status()).toMatchObject({ knowledge: 'cached', stale: true, incarnation: 'first' });
    expect(watcher.current()).toEqual(first.watcher.current());
    store.config.offline = false;
    await store.config.put(read, '75');
    await time.advance(1_500);
    expect(percent()).toBe(75);
    expect(watcher.status().knowledge).toBe('live');
    await watcher.close();
  });

  it('keeps rubbish out of the cache', async () => {
    await fill();
    await store.config.put(read, 'rubbish');
    const first = await start();
    expect(first.watcher.status().errors).toHaveLength(1);
    await store.config.put(read, '30');
    await store.config.put(read, 'more rubbish');
    await first.watcher.close();
    expect(JSON.parse(await readFile(first.cacheFile, 'utf8'))).toMatchObject({ incarnation: 'first' });
    store.config.offline = true;
    const { watcher, percent } = await start();
    expect(percent()).toBe(30);
    await watcher.close();
  });

  it('writes the cache soon after a change, not only when it closes', async () => {
    await fill();
    const { watcher, cacheFile } = await start();
    await time.advance(100);
    await eventually(async () => (await readFile(cacheFile, 'utf8')).includes(read));
    await watcher.close();
  });

  it('writes the cache anew each minute, and tells at a start until when it was known to be true', async () => {
    await fill();
    const first = await start();
    expect(first.watcher.status().cacheAgeMs).toBeUndefined();
    await time.advance(100);
    const writtenAt = async (): Promise<number> => (await stat(first.cacheFile)).mtimeMs;
    await eventually(async () => (await readFile(first.cacheFile, 'utf8')).includes(read));
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(first.cacheFile, longAgo, longAgo);
    const old = await start();
    expect(old.watcher.status().cacheAgeMs).toBeGreaterThan(3_500_000);
    await old.watcher.close();
    await utimes(first.cacheFile, longAgo, longAgo);
    await time.advance(62_000);
    await eventually(async () => (await writtenAt()) > longAgo.getTime() + 1_000_000);
    await first.watcher.close();
    const again = await start();
    expect(again.watcher.status().cacheAgeMs).toBeLessThan(600_000);
    await again.watcher.close();
  });

  it('does not write the cache anew while the store does not answer', async () => {
    await fill();
    const { watcher, cacheFile } = await start();
    await time.advance(100);
    await eventually(async () => (await readFile(cacheFile, 'utf8')).includes(read));
    store.config.offline = true;
    await rm(cacheFile);
    await time.advance(200_000);
    await watcher.close();
    await expect(stat(cacheFile)).rejects.toThrow('ENOENT');
  });

  it.each(['', '{', '{"schema":1}'])('starts without a cache that is damaged: %j', async (text) => {
    await fill();
    const first = await start();
    await first.watcher.close();
    await writeFile(first.cacheFile, text);
    store.config.offline = true;
    const { watcher } = await start();
    expect(watcher.status().knowledge).toBe('unknown');
    await watcher.close();
  });

  it('starts without the cache of an agent of another bucket in the same folder', async () => {
    await fill();
    const first = await start(store, { bucket: 'one', servers: ['a:4222'] });
    await first.watcher.close();
    store.config.offline = true;
    const [own, other] = [await start(store, { bucket: 'one', servers: ['a:4222', 'b:4222'] }), await start()];
    expect([own.watcher.status().knowledge, other.watcher.status().knowledge]).toEqual(['cached', 'cached']);
    const foreign = await start(store, { bucket: 'two', servers: ['a:4222'] });
    expect([foreign.watcher.status().knowledge, foreign.watcher.current().size]).toEqual(['unknown', 0]);
    for (const { watcher } of [own, other, foreign]) await watcher.close();
  });

  it('applies nothing of a store that became another one', async () => {
    await fill();
    const { watcher, percent } = await start();
    store.incarnation = 'second';
    store.config.recreate();
    await store.config.put(read, '100');
    await time.advance(5_000);
    expect(percent()).toBe(25);
    expect(watcher.status()).toMatchObject({
      stale: true,
      incarnation: 'first',
      alarm: expect.stringContaining(nickname('second')),
    });
    await watcher.close();
  });

  it('applies nothing of another store than the cached state came from', async () => {
    await fill();
    const first = await start();
    await first.watcher.close();
    const other = memoryStore(time);
    other.incarnation = 'second';
    await other.config.put('rt.products.stop', 'on');
    const { watcher, percent } = await start(other);
    await time.advance(5_000);
    expect(percent()).toBe(25);
    expect(watcher.current().get('products')?.stop).toBe(false);
    expect(watcher.status().alarm).toMatch(new RegExp(`${nickname('second')}.*${nickname('first')}`));
    expect(watcher.status().alarm).not.toMatch(/first|second/);
    await watcher.close();
  });

  describe('of a store that lost its last writes', () => {
    const stop = 'rt.products.stop';
    const state = (watcher: RouteWatcher) => watcher.current().get('products');

    it('keeps the brake on and the percentages, now and when the store has grown again', async () => {
      await fill();
      await store.config.put('rt.products.rate', 'pause');
      await store.config.put(stop, 'on');
      const { watcher, percent } = await start();
      store.config.rewindTo(2);
      await time.advance(1_500);
      expect([percent(), state(watcher)?.stop, state(watcher)?.rate]).toEqual([25, true, 'pause']);
      expect(watcher.status().alarm).toContain('below 5');
      expect(watcher.status().errors).toContainEqual({ key: stop, message: expect.stringContaining('write it again') });
      for (let i = 0; i < 5; i++) await store.config.put('rt.products.ask', '{}');
      await time.advance(3_000);
      expect([percent(), state(watcher)?.stop, state(watcher)?.rate]).toEqual([25, true, 'pause']);
      expect(watcher.status().alarm).toBeUndefined();
      await watcher.close();
    });

    it('takes what people write from then on, at whatever revision', async () => {
      await fill();
      await store.config.put(stop, 'off');
      for (let i = 0; i < 100; i++) await store.config.put(read, '25');
      const { watcher, percent } = await start();
      store.config.rewindTo(4);
      await time.advance(1_500);
      await store.config.put(stop, 'on');
      await store.config.put(read, '10');
      expect([percent(), state(watcher)?.stop]).toEqual([10, true]);
      await time.advance(1_500);
      expect(watcher.status()).toMatchObject({ alarm: expect.stringContaining('below 104'), errors: [] });
      await store.config.put(stop, 'off');
      await store.config.delete(read);
      await time.advance(1_500);
      expect([percent(), state(watcher)?.stop]).toEqual([0, false]);
      await watcher.close();
    });

    it('says of what people wrote before it looked that it does not count, except the brake', async () => {
      await fill();
      await store.config.put(stop, 'off');
      for (let i = 0; i < 100; i++) await store.config.put(read, '25');
      const { watcher, percent } = await start();
      store.config.rewindTo(4);
      await store.config.put(stop, 'on');
      await store.config.put(read, '10');
      await time.advance(1_500);
      expect([percent(), state(watcher)?.stop]).toEqual([25, true]);
      expect(watcher.status().errors).toEqual([{ key: read, message: expect.stringContaining('write it again') }]);
      await watcher.close();
    });

    it('keeps the brake on that stood between the end of the backup and where the store is looked at', async () => {
      await fill();
      await store.config.put(stop, 'on');
      const { watcher } = await start();
      store.config.rewindTo(3);
      await store.config.put('rt.products.ask', '{}');
      store.config.expire(stop);
      await time.advance(1_500);
      expect(state(watcher)?.stop).toBe(true);
      for (let i = 0; i < 5; i++) await store.config.put('rt.products.ask', '{}');
      await time.advance(3_000);
      expect(state(watcher)?.stop).toBe(true);
      expect(watcher.status().errors).toContainEqual({ key: stop, message: expect.stringContaining('write it again') });
      await watcher.close();
    });

    it('puts the brake on that stands in it above all that it held, and takes none off by what may be old', async () => {
      await fill();
      await store.config.put(stop, 'off');
      for (let i = 0; i < 100; i++) await store.config.put(stop, 'off');
      const { watcher } = await start();
      store.config.rewindTo(3);
      await store.config.put(stop, 'on');
      await store.config.put('rt.products.ask', '{}');
      await time.advance(1_500);
      expect(state(watcher)?.stop).toBe(true);
      for (let i = 0; i < 100; i++) await store.config.put(stop, 'on');
      await time.advance(1_500);
      store.config.rewindTo(5);
      await store.config.put(stop, 'off');
      await time.advance(1_500);
      expect(state(watcher)?.stop).toBe(true);
      await store.config.put(stop, 'off');
      expect(state(watcher)?.stop).toBe(false);
      await watcher.close();
    });

    it('shows a deletion that the store has lost, and holds to it until somebody writes or deletes anew', async () => {
      await fill();
      await store.config.put('rt.products.rate', '7');
      const first = await start();
      await store.config.delete(read);
      await first.watcher.close();
      const error = { key: read, message: expect.stringContaining('its deletion was lost') };
      // As the backup holds it.
      const backup = memoryStore(time);
      await backup.config.put('rt.products.cfg', spec);
      await backup.config.put('rt.products.phase', dual);
      await backup.config.put(read, '25');
      await backup.config.put('rt.products.rate', '7');
      for (const round of ['first', 'from its cached state'] as const) {
        const { watcher, percent } = await start(backup);
        expect([round, percent(), watcher.status().errors]).toEqual([round, 0, [error]]);
        await watcher.close();
      }
      const { watcher, percent } = await start(backup);
      await time.advance(3_000);
      expect([percent(), watcher.status().alarm]).toEqual([0, undefined]);
      await backup.config.put(read, '40');
      expect([percent(), watcher.status().errors]).toEqual([40, []]);
      await watcher.close();
    });

    it('does so too when it learns of the loss by its cached state', async () => {
      await fill();
      await store.config.put(stop, 'on');
      const first = await start();
      await first.watcher.close();
      const backup = memoryStore(time);
      await backup.config.put('rt.products.cfg', spec);
      await backup.config.put('rt.products.phase', dual);
      const { watcher, percent } = await start(backup);
      expect([percent(), state(watcher)?.stop]).toEqual([25, true]);
      expect(watcher.status().alarm).toContain('below 4');
      await backup.config.put(read, '5');
      expect(percent()).toBe(5);
      await watcher.close();
      const again = await start(backup);
      expect([again.percent(), state(again.watcher)?.stop]).toEqual([5, true]);
      await again.watcher.close();
    });
  });

  it('names routes that are under way and whose spec is missing', async () => {
    await store.config.put('rt.products.phase', dual);
    const { watcher } = await start();
    expect(watcher.status().withoutSpec).toEqual(['products']);
    await watcher.close();
  });

  it.each(['rubbish', '{}'])('calls a route whose phase it first reads as %s unknown, not off', async (text) => {
    await fill();
    await store.config.put('rt.products.phase', text);
    const { watcher } = await start();
    expect(watcher.current().size).toBe(0);
    expect(watcher.status().withoutSpec).toEqual(['products']);
    await watcher.close();
  });

  it('holds the off of a route that it listed without a phase against rubbish, over a restart too', async () => {
    await store.config.put('rt.products.cfg', spec);
    const { watcher } = await start();
    await store.config.put('rt.products.phase', 'rubbish');
    await time.advance(1_500);
    expect(watcher.current().get('products')?.phase.phase).toBe('off');
    await watcher.close();
    const again = await start();
    expect(again.watcher.current().get('products')?.phase.phase).toBe('off');
    await again.watcher.close();
  });

  describe('that starts while a member has a route beyond off', () => {
    const beat = (phase: MemberRoute['phase'], phaseRevision: number) =>
      store.live.put('hb.a', JSON.stringify(heartbeatOf('a', { products: memberLine({ phase, phaseRevision }) })));
    const refused = (watcher: RouteWatcher) => [watcher.current().size, watcher.status().withoutSpec];

    it.each<[string, () => Promise<unknown>]>([
      [
        'spec and phase were deleted',
        async () => {
          await store.config.delete('rt.products.cfg');
          await store.config.delete('rt.products.phase');
        },
      ],
      ['the phase was taken away without a trace', async () => store.config.vanish('rt.products.phase')],
      ['nothing is left at all', async () => store.config.rewindTo(0)],
    ])('takes it neither for off nor for unrouted where %s', async (_, rob) => {
      await fill();
      await beat('target', 9);
      await rob();
      const { watcher, cacheFile } = await start();
      expect(refused(watcher)).toEqual([0, ['products']]);
      expect(watcher.status().errors).toContainEqual({
        key: 'rt.products.phase',
        message: expect.stringContaining('put it back'),
      });
      await watcher.close();
      await expect(readFile(cacheFile, 'utf8')).rejects.toThrow('ENOENT');
    });

    it('stays with that when the member has gone, until the phase is put back', async () => {
      await fill();
      store.config.vanish('rt.products.phase');
      await beat('target', 9);
      const { watcher } = await start();
      await time.advance(30_000);
      expect(refused(watcher)).toEqual([0, ['products']]);
      await store.config.put('rt.products.phase', dual);
      expect(watcher.current().get('products')?.phase.phase).toBe('dual');
      expect(watcher.status().withoutSpec).toEqual([]);
      await watcher.close();
    });

    it('holds it for off no longer by its cache when the phase is gone', async () => {
      await store.config.put('rt.products.cfg', spec);
      const first = await start();
      await first.watcher.close();
      await beat('dual', 7);
      const { watcher } = await start();
      expect(refused(watcher)).toEqual([0, ['products']]);
      await watcher.close();
    });

    it('takes a newer record for what it is', async () => {
      await fill();
      await store.config.put('rt.products.phase', JSON.stringify({ ...initialPhase, epoch: 4 }));
      await beat('observe', 2);
      const { watcher } = await start();
      expect(watcher.current().get('products')?.phase.phase).toBe('off');
      expect(watcher.status().withoutSpec).toEqual([]);
      await watcher.close();
    });
  });

  it('is quiet after it was closed', async () => {
    await fill();
    const { watcher, seen } = await start();
    await watcher.close();
    await store.config.put(read, '50');
    await time.advance(10_000);
    expect(seen).toEqual([]);
  });
});
