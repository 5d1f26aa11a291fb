import { execFile } from 'node:child_process';
import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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

/** Users and groups that need no entry anywhere. */
const [agent, shared, alice] = [4711, 4712, 4713];

/** Replaces the file in a process of its own, which gives up the rights of the superuser first. */
const replaceAs = (file: string, groups: readonly number[]) =>
  promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    `import { replaceFile } from ${JSON.stringify(join(import.meta.dirname, '../../../src/coordination/atomic-file.ts'))};
     process.setgroups(${JSON.stringify(groups)});
     process.setgid(${alice});
     process.setuid(${alice});
     await replaceFile(${JSON.stringify(file)}, 'new', { durable: false });`,
  ]);

describe.skipIf(process.getuid?.() !== 0)(
  'a file of an agent that somebody else replaces (skipped unless root)',
  () => {
    const setUp = async (mode: number): Promise<string> => {
      const file = join(directory, 'state.json');
      await chmod(directory, 0o777);
      await writeFile(file, 'old');
      await chown(file, agent, shared);
      await chmod(file, mode);
      return file;
    };

    it('stays with the group that it is shared with', async () => {
      const file = await setUp(0o660);
      await replaceAs(file, [shared]);
      const { uid, gid, mode } = await stat(file);
      expect([await readFile(file, 'utf8'), uid, gid, mode & 0o777]).toEqual(['new', alice, shared, 0o660]);
    });

    it('is left as it is where the agent could not use the new one', async () => {
      const file = await setUp(0o660);
      await expect(replaceAs(file, [])).rejects.toThrow('belongs to user 4711 and group 4712');
      const { uid, gid } = await stat(file);
      expect([await readFile(file, 'utf8'), uid, gid]).toEqual(['old', agent, shared]);
      expect(await readdir(directory)).toEqual(['state.json']);
    });

    it('stays with the agent where the superuser replaces it', async () => {
      const file = await setUp(0o600);
      await replaceFile(file, 'new', { durable: false });
      const { uid, gid } = await stat(file);
      expect([await readFile(file, 'utf8'), uid, gid]).toEqual(['new', agent, shared]);
    });
  },
);
