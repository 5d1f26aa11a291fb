/**
 * Mutual exclusion between processes by a lock that exists only while somebody writes (milliseconds): a symbolic link
 * whose target names its owner, because a link is made with its contents in one step, also when the maker is killed.
 * A lock left behind by a process that died is broken, under a second lock, so that two waiters cannot both break it and
 * end up inside together.
 */
import { randomUUID } from 'node:crypto';
import { lstat, readlink, rm, symlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { CrossfadeError } from '../errors.ts';
import { pause, systemTimers } from './timers.ts';

const retryMs = 4;
const waitMs = 10_000;
/**
 * Nobody holds a lock for so long: the work inside is one small file. Shorter than the wait, because a restarted
 * container has the process id of its predecessor, whose lock then looks alive.
 */
const abandonedMs = 4_000;

/** Whether the lock is still one's own: false after a stall so long that others took it for abandoned. */
export type StillMine = () => Promise<boolean>;

/** @throws CrossfadeError STORE_UNAVAILABLE when the lock cannot be had in time */
export const withFileLock = async <T>(path: string, work: (stillMine: StillMine) => Promise<T>): Promise<T> => {
  const token = `${process.pid}@${hostname()}:${randomUUID()}`;
  const stillMine = async (): Promise<boolean> => (await readlink(path).catch(() => '')) === token;
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
    await symlink(token, path);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
};

const breakIfAbandoned = async (path: string): Promise<void> => {
  if (!(await isAbandoned(path))) return;
  const breaker = `${path}.break`;
  if (!(await create(breaker, 'breaking'))) {
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
    return Date.now() - (await lstat(path)).mtimeMs > abandonedMs;
  } catch {
    return false;
  }
};

const isOwnerGone = async (path: string): Promise<boolean> => {
  try {
    const owner = /^(\d+)@(.*):/.exec(await readlink(path));
    if (owner === null || owner[2] !== hostname()) return false;
    process.kill(Number(owner[1]), 0);
    return false;
  } catch (error) {
    // Anything but "no such process" leaves the lock to its age.
    return isCode(error, 'ESRCH');
  }
};
