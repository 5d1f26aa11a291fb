/**
 * What is fetched while other stages run. Whoever waits for it is told for what, once it takes long, and does not wait for
 * ever: tests that miss something say so themselves. Its children, Maven and Go, end with it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export type FetchingOptions = {
  /** A program that prints what it fetches, a line each. */
  script: string;
  say(text: string): void;
  tellAfterMs?: number;
  giveUpAfterMs?: number;
};
export type Fetching = {
  /** Resolves when all is there, or when it has been waited for long enough. */
  done(): Promise<void>;
  stop(): void;
};

export const startFetching = ({
  script,
  say,
  tellAfterMs = 60_000,
  giveUpAfterMs = 600_000,
}: FetchingOptions): Fetching => {
  // A group of its own, so that its children can be ended with it.
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  const closed = once(child, 'close');
  let isOver = false;
  void closed.then(() => (isOver = true));
  let current = 'what integration tests start';
  child.stdout.on('data', (chunk: Buffer) => {
    current = chunk.toString('utf8').trim().split('\n').at(-1) ?? current;
  });
  const stop = (): void => {
    if (isOver || child.pid === undefined) return;
    isOver = true;
    try {
      process.kill(-child.pid, 'SIGTERM');
    } catch {
      // It has ended just now.
    }
  };
  process.on('exit', stop);
  return {
    stop,
    done: async () => {
      const told = setTimeout(() => say(`waiting for ${current} to be fetched`), tellAfterMs);
      const given = setTimeout(() => {
        say(`${current} could not be fetched in time: going on without it`);
        stop();
      }, giveUpAfterMs);
      await closed;
      clearTimeout(told);
      clearTimeout(given);
    },
  };
};
