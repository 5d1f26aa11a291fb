/**
 * Servers that a schedule may kill, stall and start again on the data that they had, or on none. One change at a time: a
 * second one waits for the first.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, startOpenSearch } from '../../support/services.ts';

export type Mortal = {
  readonly url: string;
  kill(): Promise<void>;
  /** Alive and silent, until it is woken. */
  stall(): void;
  wake(): void;
  start(): Promise<void>;
  stop(): Promise<void>;
};
type Server = { url: string; pid: number; dir: string; stop(): Promise<void> };

const mortal = (first: Server, startAgain: (dir: string) => Promise<Server>): Mortal & { dir(): string } => {
  let server: Server | undefined = first;
  let { dir } = first;
  const signal = (name: NodeJS.Signals): void => {
    if (server !== undefined) process.kill(server.pid, name);
  };
  return {
    url: first.url,
    dir: () => dir,
    kill: async () => {
      signal('SIGKILL');
      await server?.stop();
      server = undefined;
    },
    stall: () => signal('SIGSTOP'),
    wake: () => signal('SIGCONT'),
    start: async () => {
      server ??= await startAgain(dir);
      dir = server.dir;
    },
    stop: async () => {
      signal('SIGCONT');
      await server?.stop();
      server = undefined;
      rmSync(dir, { recursive: true, force: true });
    },
  };
};

export const mortalCluster = async (name: string): Promise<Mortal> => {
  const options = { name, heapMb: 512, briefly: true } as const;
  const first = await startOpenSearch(options);
  const port = Number(new URL(first.url).port);
  return mortal(first, (dir) => startOpenSearch({ ...options, port, dir }));
};

export type MortalNats = Mortal & {
  /** In the place of the one that was killed, with nothing in it; `start` brings back the old data. */
  startEmpty(): Promise<void>;
};

export const mortalNats = async (): Promise<MortalNats> => {
  const first = await startNats();
  const server = mortal(first, (dir) => startNats({ port: first.port, dir }));
  let empty: Awaited<ReturnType<typeof startNats>> | undefined;
  const endEmpty = async (): Promise<void> => {
    await empty?.stop();
    if (empty !== undefined) rmSync(empty.dir, { recursive: true, force: true });
    empty = undefined;
  };
  return {
    ...server,
    startEmpty: async () => {
      empty = await startNats({ port: first.port, dir: mkdtempSync(join(tmpdir(), 'crossfade-nats-')) });
    },
    start: async () => {
      await endEmpty();
      await server.start();
    },
    stop: async () => {
      await endEmpty();
      await server.stop();
    },
  };
};
