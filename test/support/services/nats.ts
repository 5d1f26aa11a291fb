/** A real NATS server with JetStream: from CROSSFADE_TEST_NATS_SERVER, the PATH, the cache, or built by `go install` into the cache. */

import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type Server, startServer } from './child.ts';
import { cacheDir, findOnPath, MissingPrerequisite, run } from './prerequisites.ts';

export const natsVersion = '2.15.2';

/** Clustered compare-and-set is broken before 2.9.21, per-key TTL is missing before 2.11. */
const isRecent = async (binary: string): Promise<boolean> => {
  const { stdout } = await run(binary, ['--version']);
  const [major = 0, minor = 0] = (/v(\d+)\.(\d+)/.exec(stdout) ?? []).slice(1).map(Number);
  return major > 2 || (major === 2 && minor >= 11);
};

export const natsServerBinary = async (): Promise<string> => {
  const cached = join(cacheDir(), 'bin', `nats-server-${natsVersion}`, 'nats-server');
  for (const candidate of [process.env['CROSSFADE_TEST_NATS_SERVER'], findOnPath('nats-server'), cached])
    if (candidate !== undefined && existsSync(candidate) && (await isRecent(candidate))) return candidate;
  if (findOnPath('go') === undefined)
    throw new MissingPrerequisite(
      'nats-server 2.11 or later is needed: put it on the PATH, or install Go so that it can be built, or start Docker.',
    );
  const dir = join(cached, '..');
  mkdirSync(dir, { recursive: true });
  await run('go', ['install', `github.com/nats-io/nats-server/v2@v${natsVersion}`], {
    env: { ...process.env, GOBIN: dir },
  });
  return cached;
};

const accepts = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'data');
    return true;
  } finally {
    socket.destroy();
  }
};

export type NatsOptions = { port?: number; dir?: string; extraArgs?: string[]; binary?: string };

export const startNats = async (options: NatsOptions = {}): Promise<Server & { dir: string; port: number }> => {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'crossfade-nats-'));
  const port = options.port ?? (await freePort());
  const server = await startServer({
    name: 'nats-server',
    command: options.binary ?? (await natsServerBinary()),
    args: ['-js', '-sd', dir, '-a', '127.0.0.1', '-p', String(port), ...(options.extraArgs ?? [])],
    logFile: join(dir, 'server.log'),
    url: `nats://127.0.0.1:${port}`,
    isUp: () => accepts(port),
    timeoutMs: 30_000,
  });
  return { ...server, dir, port };
};
