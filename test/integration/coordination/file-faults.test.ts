/** An embedded store between processes that come, go and die, and files that are damaged or gone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, lutimes, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../../src/coordination/file-store.ts';
import type { Change, Store } from '../../../src/coordination/ports.ts';
import { startRouteWatcher } from '../../../src/coordination/route-watcher.ts';
import { silentLogger } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';

const read = 'rt.products.pct.read';
const spec = JSON.stringify({ route: 'products', indices: [{ source: 'p1', target: 'p2' }] });
const script = join(import.meta.dirname, 'file-writer.ts');

let directory: string;
let file: string;
let store: Store;
let children: ChildProcess[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'crossfade-file-'));
  file = join(directory, 'state.json');
  store = await openFileStore({ file });
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await store.close();
  await rm(directory, { recursive: true });
});

const run = (...args: string[]): ChildProcess => {
  const child = spawn(process.execPath, [script, file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
};
const exitCode = async (child: ChildProcess): Promise<number> => (await once(child, 'exit'))[0] as number;

describe('processes that share a store file', () => {
  it('lose no write to one another', async () => {
    const codes = ['a', 'b', 'c'].map(() => exitCode(run('raise', 'job.products.counter', '40')));
    for (let done = 0; done < 40;) {
      const entry = await store.config.get('job.products.counter');
      const next = `${Number(entry?.value ?? 0) + 1}`;
      if ((await store.config.update('job.products.counter', next, entry?.revision ?? 0)).ok) done++;
    }
    expect(await Promise.all(codes)).toEqual([0, 0, 0]);
    expect((await store.config.get('job.products.counter'))?.value).toBe('160');
    expect((await readdir(directory)).sort()).toEqual(['state.json']);
  });

  it('see what another one writes, and its heartbeats', async () => {
    const changes: Change[] = [];
    store.config.subscribe((change) => changes.push(change));
    expect(await exitCode(run('put', read, '25\n'))).toBe(0);
    await eventually(() => changes.some((change) => change.key === read && change.value === '25\n'));
    run('beat', 'hb.other');
    await eventually(async () => (await store.live.get('hb.other')) !== undefined);
  });

  it('are not held up by one that was killed while it wrote, and find a whole file', async () => {
    for (let round = 0; round < 4; round++) {
      const child = run('beat', `hb.round-${round}`);
      await once(child.stdout as NodeJS.ReadableStream, 'data');
      child.kill('SIGKILL');
      await exitCode(child);
      const entry = await store.config.get(`hb.round-${round}`);
      expect(entry?.value).toMatch(/^x{50000}\d+$/);
      expect(await store.config.update(`hb.round-${round}`, 'after', entry?.revision ?? 0)).toMatchObject({ ok: true });
    }
  });

  it('break a lock that its owner left behind, whether it died or only never came back', async () => {
    const dead = spawn(process.execPath, ['-e', '']);
    await exitCode(dead);
    await symlink(`${dead.pid}@${hostname()}:x`, `${file}.lock`);
    await store.config.put(read, '1');

    await symlink('1@elsewhere:x', `${file}.lock`);
    const longAgo = new Date(Date.now() - 60_000);
    await lutimes(`${file}.lock`, longAgo, longAgo);
    await store.config.put(read, '2');
    expect((await store.config.get(read))?.value).toBe('2');
  });

  it('wait for a lock that is in use, until it is given back or its owner has been silent for too long', async () => {
    await symlink('1@elsewhere:x', `${file}.lock`);
    let written = false;
    const waiting = store.config.put(read, '1').then(() => {
      written = true;
    });
    const reader = await openFileStore({ file: join(directory, 'unrelated.json') });
    await reader.config.put(read, '1');
    expect(written).toBe(false);
    await rm(`${file}.lock`);
    await waiting;
    await symlink(`${process.pid}@${hostname()}:predecessor`, `${file}.lock`);
    await store.config.put(read, '2');
    expect((await store.config.get(read))?.value).toBe('2');
  });
});

describe('a store file that is not as it was', () => {
  const watch = async () => {
    await store.config.put('rt.products.cfg', spec);
    await store.config.put(read, '25');
    const watcher = await startRouteWatcher({ store, logger: silentLogger(), pollMs: 100 });
    await watcher.refresh();
    return { watcher, percent: () => watcher.current().get('products')?.percent.read };
  };

  it.each<[string, () => Promise<unknown>, string]>([
    ['gone', () => rm(file), 'vanished'],
    ['cut off', async () => writeFile(file, (await readFile(file)).subarray(0, 100)), 'damaged'],
    ['empty', () => writeFile(file, ''), 'damaged'],
    [
      'another one',
      async () => {
        const other = await openFileStore({ file: join(directory, 'other.json') });
        await other.config.put(read, '100');
        await copyFile(join(directory, 'other.json'), file);
      },
      'another one',
    ],
  ])('because it is %s is an alarm, and everything stays as it was until it is back', async (_, spoil, alarm) => {
    const { watcher, percent } = await watch();
    await copyFile(file, `${file}.saved`);
    await spoil();
    await eventually(() => store.status().alarm?.includes(alarm));
    expect(percent()).toBe(25);
    expect(await store.config.update(read, '1', 0)).toEqual({ ok: false, reason: 'unavailable' });
    await expect(store.config.get(read)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await eventually(() => watcher.status().stale);
    await copyFile(`${file}.saved`, file);
    await eventually(() => store.status().alarm === undefined && !watcher.status().stale);
    await store.config.put(read, '30');
    await eventually(() => percent() === 30);
    await watcher.close();
  });

  it('because it is an older copy is an alarm until its revisions have passed what was seen', async () => {
    const { watcher, percent } = await watch();
    await copyFile(file, `${file}.saved`);
    await store.config.put(read, '50');
    await eventually(() => percent() === 50);
    await copyFile(`${file}.saved`, file);
    await eventually(() => store.status().alarm?.includes('older'));
    expect(percent()).toBe(50);
    await store.config.put(read, '60');
    await store.config.put(read, '70');
    await eventually(() => percent() === 70 && store.status().alarm === undefined);
    await watcher.close();
  });

  it.each(['', '{"schema":1', 'not JSON'])('because it holds %j cannot be opened, and is left alone', async (text) => {
    const bad = join(directory, 'bad.json');
    await writeFile(bad, text);
    await expect(openFileStore({ file: bad })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/bad\.json is damaged; put back a whole copy/),
    });
    expect(await readFile(bad, 'utf8')).toBe(text);
  });

  it('because it is a folder cannot be opened, and is named', async () => {
    await expect(openFileStore({ file: directory })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(directory),
    });
  });

  it.each(['', '\0'.repeat(500), '{"schema":1'])(
    'because a power failure left %j of the heartbeats is begun anew, with higher revisions',
    async (text) => {
      await store.live.put('hb.before', 'x');
      const before = await store.live.put('hb.m', 'x');
      await writeFile(`${file}.live`, text);
      expect(await store.live.get('hb.m')).toBeUndefined();
      expect(await store.live.put('hb.m', 'y')).toBeGreaterThan(before);
      await writeFile(`${file}.live`, text);
      const next = await openFileStore({ file });
      await next.live.put('hb.m', 'z');
      expect((await store.live.get('hb.m'))?.value).toBe('z');
    },
  );
});
