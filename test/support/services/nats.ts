/**
 * A real NATS server with JetStream: from CROSSFADE_TEST_NATS_SERVER, the PATH, the cache, or brought into the cache: built
 * by `go install`, or taken out of its image.
 */
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type Server, startServer } from './child.ts';
import { cacheDir, keepInCache } from './cache.ts';
import { findOnPath, hasContainerEngine, MissingPrerequisite, run } from './prerequisites.ts';

export const natsVersion = '2.15.2';

/** Clustered compare-and-set is broken before 2.9.21, per-key TTL is missing before 2.11. */
const isRecent = async (binary: string): Promise<boolean> => {
  const { stdout } = await run(binary, ['--version']);
  const [major = 0, minor = 0] = (/v(\d+)\.(\d+)/.exec(stdout) ?? []).slice(1).map(Number);
  return major > 2 || (major === 2 && minor >= 11);
};

/** The server in the image is one static file, which runs on any Linux. */
const fromImage = (into: string): Promise<void> =>
  keepInCache(into, async (staging) => {
    const { stdout } = await run('docker', ['create', `nats:${natsVersion}`]);
    const made = stdout.trim();
    const file = join(staging, 'nats-server');
    await run('docker', ['cp', `${made}:/nats-server`, file]).finally(() => run('docker', ['rm', made]));
    return file;
  });

/** A container may serve all the same, where no program of this machine's own is needed. */
const missingImage = (error: unknown): never => {
  throw new MissingPrerequisite(`nats-server could not be taken out of its image: ${String(error).split('\n')[0]}`);
};

const build = (into: string): Promise<void> =>
  keepInCache(into, async (staging) => {
    const env = { ...process.env, GOBIN: staging };
    await run('go', ['install', `github.com/nats-io/nats-server/v2@v${natsVersion}`], { env });
    return join(staging, 'nats-server');
  });

/** @throws MissingPrerequisite, and what Go says when it fails */
export const natsServerBinary = async (): Promise<string> => {
  const cached = join(cacheDir(), 'bin', `nats-server-${natsVersion}`, 'nats-server');
  for (const candidate of [process.env['CROSSFADE_TEST_NATS_SERVER'], findOnPath('nats-server'), cached])
    if (candidate !== undefined && existsSync(candidate) && (await isRecent(candidate))) return candidate;
  if (findOnPath('go') !== undefined) await build(cached);
  else if (process.platform === 'linux' && (await hasContainerEngine())) await fromImage(cached).catch(missingImage);
  else
    throw new MissingPrerequisite(
      'nats-server 2.11 or later is needed: put it on the PATH, or install Go so that it can be built, or start Docker.',
    );
  return cached;
};

/** Why no server can be started on this machine; undefined when one can. */
export const whyNoNats = (): Promise<string | undefined> =>
  natsServerBinary().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message.split('\n')[0] : String(error)),
  );

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
    scratchDir: options.dir === undefined ? dir : undefined,
    url: `nats://127.0.0.1:${port}`,
    isUp: () => accepts(port),
    timeoutMs: 30_000,
  });
  return { ...server, dir, port };
};
