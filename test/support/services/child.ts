/** Starts a server process, waits until it answers, and makes sure it does not outlive this one. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export type Server = { url: string; pid: number; logFile: string; stop(): Promise<void> };

export const freePort = async (): Promise<number> => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
};

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

const tail = (file: string): string => readFileSync(file, 'utf8').split('\n').slice(-25).join('\n');

/** False when it was dead before, or had to be killed. */
const stopChild = async (child: ChildProcess): Promise<boolean> => {
  if (child.exitCode !== null || child.signalCode !== null) return false;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(hard);
  return child.signalCode !== 'SIGKILL';
};

export type StartOptions = {
  name: string;
  command: string;
  args: string[];
  options?: SpawnOptions;
  logFile: string;
  /** Of this process alone: goes when it is stopped. What died otherwise leaves its data to go on with, and its logs. */
  scratchDir?: string | undefined;
  url: string;
  isUp: () => Promise<boolean>;
  timeoutMs: number;
};

export const startServer = async (start: StartOptions): Promise<Server> => {
  const log = openSync(start.logFile, 'a');
  const child = spawn(start.command, start.args, { ...start.options, stdio: ['ignore', log, log] });
  closeSync(log);
  running.add(child);
  child.once('exit', () => running.delete(child));
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  failed.catch(() => undefined);
  const deadline = performance.now() + start.timeoutMs;
  while (!(await Promise.race([start.isUp().catch(() => false), failed]))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stopChild(child);
      throw new Error(`${start.name} did not come up:\n${tail(start.logFile)}`);
    }
    await delay(150);
  }
  const stop = async (): Promise<void> => {
    const isClean = await stopChild(child);
    if (isClean && start.scratchDir !== undefined) rmSync(start.scratchDir, { recursive: true, force: true });
  };
  return { url: start.url, pid: child.pid ?? -1, logFile: start.logFile, stop };
};
