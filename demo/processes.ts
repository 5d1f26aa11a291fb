/** Starts the demo's own processes on free ports, waits until they answer, and stops whatever was started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const root = join(import.meta.dirname, '..');
const children: ChildProcess[] = [];

type Start = { name: string; args: string[]; env: Record<string, string>; logDir: string; readyUrl: string };

/** @throws when the process ends or does not answer within a minute; its log is named. */
export const startNode = async ({ name, args, env, logDir, readyUrl }: Start): Promise<ChildProcess> => {
  const logFile = join(logDir, `${name}.log`);
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = createWriteStream(logFile);
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  children.push(child);
  for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 100) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}; see ${logFile}`);
    const answer = await fetch(readyUrl).catch(() => undefined);
    if (answer !== undefined && answer.status < 500) return child;
    await delay(100);
  }
  throw new Error(`${name} did not become ready; see ${logFile}`);
};

export const stopAll = async (): Promise<void> => {
  const alive = children.filter((child) => child.exitCode === null && child.signalCode === null);
  for (const child of alive) child.kill('SIGTERM');
  const hard = setTimeout(() => {
    for (const child of alive) child.kill('SIGKILL');
  }, 15_000);
  await Promise.all(alive.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined)));
  clearTimeout(hard);
};

export type Ran = { code: number; stdout: string; stderr: string };

/** Runs the real command line, as a person would. */
export const crossfade = async (args: string[], env: Record<string, string>): Promise<Ran> => {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    texts.stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    texts.stderr += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, ...texts };
};
