/** Servers of tests take what is theirs alone with them, unless they died: then somebody goes on with it, or looks at it. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startServer } from '../../support/services/child.ts';

const start = async () => {
  const dir = mkdtempSync(join(tmpdir(), 'crossfade-child-'));
  const log = { logFile: join(dir, 'server.log'), scratchDir: dir };
  const what = { name: 'sleep', command: 'sleep', args: ['60'], url: '', isUp: async () => true, timeoutMs: 5_000 };
  return { dir, server: await startServer({ ...what, ...log }) };
};

it('a server that is stopped takes its folder with it', async () => {
  const { dir, server } = await start();
  await server.stop();
  expect(existsSync(dir)).toBe(false);
});

it('one that was killed leaves its folder behind, to be started again on it', async () => {
  const { dir, server } = await start();
  process.kill(server.pid, 'SIGKILL');
  await server.stop();
  expect(existsSync(join(dir, 'server.log'))).toBe(true);
  await server.stop();
  expect(existsSync(dir)).toBe(true);
  rmSync(dir, { recursive: true });
});
