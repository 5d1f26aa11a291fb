import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile } from '../../../src/coordination/atomic-file.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'crossfade-atomic-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('a file that is replaced', () => {
  it.each<[string, number | undefined, number]>([
    ['is for its owner alone when it is new', undefined, 0o600],
    ['is taken from everybody else when it was for all', 0o644, 0o640],
    ['stays with its group where somebody has allowed that', 0o660, 0o660],
  ])('%s', async (_, before, after) => {
    const file = join(directory, 'state.json');
    if (before !== undefined) {
      await writeFile(file, 'old');
      await chmod(file, before);
    }
    await replaceFile(file, 'new', { durable: false });
    expect(await readFile(file, 'utf8')).toBe('new');
    expect(((await stat(file)).mode & 0o777).toString(8)).toBe(after.toString(8));
  });
});
