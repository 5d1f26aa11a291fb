/**
 * The cache of what integration tests start, outside the tree. What is put there is whole or not there at all, and every
 * account may read it, whatever the umask: root starts OpenSearch under another one.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isRoot } from './prerequisites.ts';

const forAll = { file: 0o444, program: 0o555 };
const letAllRead = (path: string): void => {
  const kind = lstatSync(path);
  if (kind.isSymbolicLink()) return;
  const isProgram = kind.isDirectory() || (kind.mode & 0o100) !== 0;
  chmodSync(path, (kind.mode & 0o7777) | (isProgram ? forAll.program : forAll.file));
  if (kind.isDirectory()) for (const name of readdirSync(path)) letAllRead(join(path, name));
};

/** Root's home is closed to other accounts, so root caches where the unprivileged account can read. */
export const cacheDir = (): string => {
  const base =
    process.env['CROSSFADE_TEST_CACHE'] ?? (isRoot() ? '/var/cache/crossfade' : join(homedir(), '.cache', 'crossfade'));
  mkdirSync(base, { recursive: true });
  if (isRoot()) chmodSync(base, (lstatSync(base).mode & 0o7777) | forAll.program);
  return base;
};

/** Another test process may have been quicker. */
const moveUnlessThere = (made: string, into: string): void => {
  try {
    if (!existsSync(into)) renameSync(made, into);
  } catch (error) {
    if (!existsSync(into)) throw error;
  }
};

const stagings = new Set<string>();
const drop = (staging: string): void => {
  rmSync(staging, { recursive: true, force: true });
  stagings.delete(staging);
};
process.on('exit', () => stagings.forEach(drop));

/** `make` works in a folder of its own and says what of it is to be kept; nothing else stays, however it ends. */
export const keepInCache = async (into: string, make: (staging: string) => Promise<string>): Promise<void> => {
  const staging = mkdtempSync(join(cacheDir(), 'staging-'));
  stagings.add(staging);
  try {
    const made = await make(staging);
    letAllRead(made);
    mkdirSync(dirname(into), { recursive: true });
    moveUnlessThere(made, into);
  } finally {
    drop(staging);
  }
};
