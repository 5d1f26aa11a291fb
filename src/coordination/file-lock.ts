/**
 * Mutual exclusion between processes by a lock file that exists only while somebody writes (milliseconds). A lock left
 * behind by a process that died is broken, under a second lock, so that two waiters cannot both break it and end up
 * inside together.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { CrossfadeError } from '../errors.ts';
import { pause, systemTimers } from './timers.ts';

const retryMs = 4;
const waitMs = 5_000;
/** Nobody holds a lock for so long: the work inside is one small file. */
const abandonedMs = 10_000;

/** Whether the lock is still one's own: false after a stall so long that others took it for abandoned. */
export type StillMine = () => Promise<boolean>;

/** @throws CrossfadeError STORE_UNAVAILABLE when the lock cannot be had in time */
export const withFileLock = async <T>(path: string, work: (stillMine: StillMine) => Promise<T>): Promise<T> => {
  const token = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  const stillMine = async (): Promise<boolean> => (await readFile(path, 'utf8').catch(() => '')) === token;
  await acquire(path, token);
  try {
    return await work(stillMine);
  } finally {
    if (await stillMine()) await rm(path, { force: true });
  }
};

const acquire = async (path: string, token: string): Promise<void> => {
  const deadlineMs = performance.now() + waitMs;
  while (!(await create(path, token))) {
    await breakIfAbandoned(path);
    if (performance.now() > deadlineMs)
      throw new CrossfadeError('STORE_UNAVAILABLE', `The store file is locked by another process (${path})`);
    await pause(systemTimers, retryMs);
  }
};

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;

const create = async (path: string, token: string): Promise<boolean> => {
  try {
    await writeFile(path, token, { flag: 'wx' });
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
};

const breakIfAbandoned = async (path: string): Promise<void> => {
  if (!(await isAbandoned(path))) return;
  const breaker = `${path}.break`;
  if (!(await create(breaker, ''))) {
    if (await isOld(breaker)) await rm(breaker, { force: true });
    return;
  }
  // Looked at again, now that nobody else may break it: it can be a fresh one.
  if (await isAbandoned(path)) await rm(path, { force: true });
  await rm(breaker, { force: true });
};

const isAbandoned = async (path: string): Promise<boolean> => (await isOld(path)) || (await isOwnerGone(path));

const isOld = async (path: string): Promise<boolean> => {
  try {
    return Date.now() - (await stat(path)).mtimeMs > abandonedMs;
  } catch {
    return false;
  }
};

const isOwnerGone = async (path: string): Promise<boolean> => {
  try {
    const { pid, host } = JSON.parse(await readFile(path, 'utf8')) as { pid: number; host: string };
    if (host !== hostname()) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // Anything but "no such process" leaves the lock to its age: it may just be being written.
    return isCode(error, 'ESRCH');
  }
};
