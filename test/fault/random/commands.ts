/** The command line inside this process: what it costs to start one would be most of what the machine has to do. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { openCliStore } from '../../../src/app/open-store.ts';
import { preflight } from '../../../src/app/preflight.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { exitCode } from '../../../src/exit-codes.ts';
import type { Ran } from '../../support/agent-process.ts';

const noProcess = (): Promise<number> => Promise.reject(new Error('no process is started here'));

export const runHere = async (
  args: readonly string[],
  env: Record<string, string>,
  openStore = openCliStore,
): Promise<Ran> => {
  let out = '';
  let err = '';
  const io = {
    out: (text: string) => void (out += text),
    note: (text: string) => void (err += `${text}\n`),
    interactive: false,
    terminal: false,
    colour: false,
    size: () => ({ columns: 120, rows: 40 }),
    ask: () => Promise.resolve(''),
    readStdin: () => Promise.resolve(''),
    now: Date.now,
    sleep: (ms: number) => delay(ms),
    signal: new AbortController().signal,
  };
  const deps = { io, env: { CROSSFADE_ACTOR: 'test', ...env }, newId: randomUUID, version: 'test', userName: 'test' };
  const processes = { runAgent: noProcess, runWorker: noProcess, runOperator: noProcess };
  const exit = await runProgram(args, { ...deps, ...processes, openStore, preflight }).catch((error: unknown) => {
    err += error instanceof Error ? (error.stack ?? error.message) : String(error);
    return exitCode('crashed');
  });
  return { exit, out, err };
};
