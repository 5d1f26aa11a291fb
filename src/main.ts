#!/usr/bin/env node
/**
 * The one executable: parses the command line and hands over. Long-running processes and heavy libraries are loaded only
 * by the commands that need them, so that `crossfade status` answers at once.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { systemIo } from './cli/io.ts';
import { runProgram } from './cli/program.ts';
import { exitCode } from './exit-codes.ts';

const packageVersion = (): string => {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
};

const userName = (): string => {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a user id that has no name.
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
};

const interrupted = new AbortController();
const isProcess = ['agent', 'worker', 'operator'].includes(process.argv[2] ?? '');
// Processes drain at a signal themselves; a second Ctrl-C ends a command the hard way.
if (!isProcess) process.once('SIGINT', () => interrupted.abort());

/** Somebody who has read enough (`| head`) ends the command as Ctrl-C does; a full disk is an error like any other. */
const onUnwritable = ({ code, message }: NodeJS.ErrnoException): void => {
  if (code === 'EPIPE') return interrupted.abort();
  process.stderr.write(`crossfade: the output cannot be written: ${message}\n`);
  process.exit(exitCode('failed'));
};
if (!isProcess) for (const stream of [process.stdout, process.stderr]) stream.on('error', onUnwritable);

const code = await runProgram(process.argv.slice(2), {
  io: systemIo(interrupted.signal),
  env: process.env,
  newId: randomUUID,
  version: packageVersion(),
  userName: userName(),
  openStore: async (config, options) => (await import('./app/open-store.ts')).openCliStore(config, options),
  preflight: async (config, asked) => (await import('./app/preflight.ts')).preflight(config, asked),
  runAgent: async (options) => (await import('./app/agent.ts')).runAgent({ ...options, version: packageVersion() }),
  runWorker: async (options) => (await import('./app/worker.ts')).runWorker({ ...options, version: packageVersion() }),
  runOperator: async (options) => (await import('./app/operator.ts')).runOperatorProcess(options),
});
/** Resolves when the reader has got everything, or has gone. */
const drained = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => stream.write('', () => resolve()));
// A process that could not start may hold timers, and the client of NATS a socket to a server that never said a word.
await Promise.all([process.stdout, process.stderr].map(drained));
process.exit(code);
