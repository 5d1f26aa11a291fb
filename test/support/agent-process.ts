/** Real processes of the product: an agent with its ports and log, and single commands. None outlives the tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SwitchPoint } from '../../src/agent/leader/switch.ts';
import type { RouteStatus } from '../../src/fleet/fleet-status.ts';
import { eventually } from './eventually.ts';

const main = join(import.meta.dirname, '../../src/main.ts');
/** The same agent, which asks its parent at each labelled point of a switch that it leads. */
const asking = join(import.meta.dirname, 'asking-agent.ts');

type LogLine = { msg?: string; level: number } & Record<string, unknown>;
export type AgentProcess = {
  /** Of the application's listener. */
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  log(): LogLine[];
  /** Everything it printed, on either stream, as it came. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code; -1 when a signal ended it. */
  exit(): Promise<number>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number>;
};

/** Only the variables given, so that nothing of the test run leaks in. */
const environment = (env: Record<string, string>): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '',
  // Hundreds of processes are started from the same sources: compiled once, each starts in half the time.
  NODE_COMPILE_CACHE: join(tmpdir(), 'crossfade-compile-cache'),
  ...env,
});

/**
 * Ends the child when this process is gone, however it ended: a test worker may be killed, and then no handler runs. The
 * pipe to the guard closes with this process.
 */
const guard = (child: ChildProcess): void => {
  const script = `cat > /dev/null; kill -9 ${child.pid}`;
  const watching = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  watching.unref();
  child.once('exit', () => watching.kill('SIGKILL'));
};

const launch = (args: readonly string[], env: Record<string, string>, script = main): ChildProcess => {
  const stdio: ('ignore' | 'pipe' | 'ipc')[] = [
    'ignore',
    'pipe',
    'pipe',
    ...(script === asking ? ['ipc' as const] : []),
  ];
  const child = spawn(process.execPath, [script, ...args], { env: environment(env), stdio });
  guard(child);
  return child;
};

const answerPoints = (child: ChildProcess, onReached: (point: SwitchPoint) => Promise<void>): void => {
  child.on('message', async (point: SwitchPoint) => {
    await onReached(point);
    if (child.connected) child.send('go on', () => undefined);
  });
};

const collect = (stream: NodeJS.ReadableStream | null): (() => string) => {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
};

const parseLog = (text: string): LogLine[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as LogLine);

const urlOf = (address: unknown): string => {
  const { host, port } = address as { host: string; port: number };
  return `http://${host}:${port}`;
};

export type StartOptions = {
  env: Record<string, string>;
  command?: 'agent' | 'worker' | 'operator';
  args?: string[];
  /** The log message that tells that it is up. */
  upAt?: string;
  /** At each labelled point of a switch that this agent leads; it stands still there until this resolves. */
  onReached?: ((point: SwitchPoint) => Promise<void>) | undefined;
};

/** Ports are free ones; `env` comes over the defaults. */
export const startAgent = async ({
  env,
  command = 'agent',
  args = [],
  upAt = 'serving',
  onReached,
}: StartOptions): Promise<AgentProcess> => {
  const stateDir = mkdtempSync(join(tmpdir(), 'crossfade-agent-'));
  const defaults = {
    CROSSFADE_LISTEN: '127.0.0.1:0',
    CROSSFADE_ADMIN_LISTEN: '127.0.0.1:0',
    CROSSFADE_STATE_DIR: stateDir,
    CROSSFADE_STORE_FILE: join(stateDir, 'store.json'),
    // The test's own client keeps connections open, and nobody waits for it.
    CROSSFADE_SHUTDOWN_GRACE_MS: '500',
    CROSSFADE_SHUTDOWN_QUIET_MS: '0',
  };
  const child = launch([command, ...args], { ...defaults, ...env }, onReached === undefined ? main : asking);
  if (onReached !== undefined) answerPoints(child, onReached);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const log = (): LogLine[] => parseLog(stdout());
  const exited = once(child, 'exit').then(([code]) => {
    rmSync(stateDir, { recursive: true, force: true });
    return (code as number | null) ?? -1;
  });
  const up = await eventually(
    () => {
      const line = log().find(({ msg }) => msg === upAt);
      if (line === undefined && child.exitCode !== null) return { ended: `${stderr()}\n${stdout()}` };
      return line;
    },
    { what: `${command} to say "${upAt}"`, timeoutMs: 60_000 },
  );
  if ('ended' in up) throw new Error(`${command} ended: ${up['ended']}`);
  return {
    url: up['listening'] === undefined ? '' : urlOf(up['listening']),
    adminUrl: up['admin'] === undefined ? '' : urlOf(up['admin']),
    pid: child.pid ?? -1,
    log,
    output: () => `${stdout()}\n${stderr()}`,
    signal: (name) => void child.kill(name),
    exit: () => exited,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
};

export type Ran = { exit: number; out: string; err: string };

/** One command, to its end. */
export const crossfade = async (args: readonly string[], env: Record<string, string>): Promise<Ran> => {
  const child = launch(args, { CROSSFADE_ACTOR: 'test', ...env });
  const out = collect(child.stdout);
  const err = collect(child.stderr);
  const [code] = (await once(child, 'close')) as [number | null];
  return { exit: code ?? -1, out: out(), err: err() };
};

/** What the command line shows as status, for tests that look again and again: a process for each look would take a core. */
export const statusAt = async ({ adminUrl }: AgentProcess, slug: string, token?: string): Promise<RouteStatus> => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${adminUrl}/api/routes/${slug}`, { headers });
  return (await answer.json()) as RouteStatus;
};

/** Of a command that has to end with 0; what it printed is in the failure. */
export const must = async (running: Promise<Ran>): Promise<Ran> => {
  const ran = await running;
  if (ran.exit !== 0) throw new Error(`exit ${ran.exit}: ${ran.out}${ran.err}`);
  return ran;
};
