/**
 * What a command may do to the world outside the store: write, ask, wait. Passed in, so that tests run commands without a
 * process. Data goes to `out`, everything said to a person to `note` (stderr).
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { CliError } from './cli-error.ts';
import type { Size } from './screen.ts';

export interface CliIo {
  out(text: string): void;
  note(text: string): void;
  /** A person can answer questions: both stdin and stderr are terminals. */
  readonly interactive: boolean;
  /** stdout is a terminal: bars, colours and redrawing are welcome. */
  readonly terminal: boolean;
  readonly colour: boolean;
  /** Of the terminal behind stdout, as it is now. */
  size(): Size;
  ask(question: string): Promise<string>;
  readStdin(): Promise<string>;
  /** Milliseconds since the epoch, for ages of records. */
  now(): number;
  sleep(ms: number): Promise<void>;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
}

type Terminal = { input: NodeJS.ReadableStream; output: NodeJS.WritableStream; terminal?: boolean };

/** @throws CliError interrupted by Ctrl-C, unconfirmed when the input ends, as by Ctrl-D */
export const askOn = (terminal: Terminal, question: string): Promise<string> => {
  const readline = createInterface(terminal);
  return new Promise<string>((resolve, reject) => {
    readline.once('SIGINT', () => reject(new CliError('interrupted', 'Stopped; nothing was done.')));
    readline.once('close', () => reject(new CliError('unconfirmed', 'Nobody answered; nothing was done.')));
    readline.question(question, resolve);
  }).finally(() => readline.close());
};

const readAll = async (): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};

/** NO_COLOR (no-color.org): present and not empty, whatever its value. */
const wantsColour = (env: NodeJS.ProcessEnv): boolean =>
  process.stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';

export const systemIo = (signal: AbortSignal): CliIo => ({
  out: (text) => process.stdout.write(text),
  note: (text) => process.stderr.write(`${text}\n`),
  interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  terminal: process.stdout.isTTY === true,
  colour: wantsColour(process.env),
  size: () => ({ columns: process.stdout.columns ?? 80, rows: process.stdout.rows ?? 24 }),
  ask: (question) => askOn({ input: process.stdin, output: process.stderr }, question),
  readStdin: readAll,
  now: Date.now,
  sleep: async (ms) => {
    await delay(ms, undefined, { signal }).catch(() => undefined);
  },
  signal,
});
