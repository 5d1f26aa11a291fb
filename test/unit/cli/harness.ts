/** Runs command lines against a store in memory, with everything printed kept apart by stream. */
import type { CliIo } from '../../../src/cli/io.ts';
import type { ProgramDeps } from '../../../src/cli/grammar/options.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { askResultName, jobStatusName } from '../../../src/coordination/job-status.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { Ask, type AskResult, initialPhase, type PhaseRecord } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { MemoryStore } from '../../support/memory-store.ts';

export type Ran = { exit: number; out: string; err: string; json: () => unknown };
export type Harness = {
  store: MemoryStore;
  /** For each command, whether it might have begun the store. */
  begun: boolean[];
  /** Milliseconds that commands slept; no real time passes. */
  slept: () => number;
  run(line: string, options?: RunOptions): Promise<Ran>;
};
export type RunOptions = {
  env?: Record<string, string>;
  answer?: string;
  /** What happens while a question stands. */
  onAsk?: () => Promise<unknown>;
  interactive?: boolean;
  stdin?: string;
  preflight?: ProgramDeps['preflight'];
  /** Of the terminal that stdout is; undefined = it is none. */
  size?: { columns: number; rows: number };
  /** The clock of the command; without it, it stands still. */
  now?: () => number;
  /** Runs at every sleep of the command; `interrupt` is Ctrl-C. */
  onSleep?: (sleptMs: number, interrupt: () => void) => Promise<void> | void;
};

export const harness = (store = new MemoryStore()): Harness => {
  let sleptMs = 0;
  const begun: boolean[] = [];
  return {
    store,
    begun,
    slept: () => sleptMs,
    run: async (line, options = {}) => {
      const out: string[] = [];
      const err: string[] = [];
      const abort = new AbortController();
      const io: CliIo = {
        out: (text) => out.push(text),
        note: (text) => err.push(`${text}\n`),
        interactive: options.interactive ?? false,
        terminal: options.size !== undefined,
        colour: options.size !== undefined,
        size: () => options.size ?? { columns: 80, rows: 24 },
        ask: async (question) => {
          err.push(question);
          await options.onAsk?.();
          return options.answer ?? '';
        },
        readStdin: async () => options.stdin ?? '',
        now: options.now ?? (() => Date.UTC(2026, 0, 1)),
        sleep: async (ms) => {
          sleptMs += ms;
          await options.onSleep?.(sleptMs, () => abort.abort());
        },
        signal: abort.signal,
      };
      let id = 0;
      const exit = await runProgram(line.split(' '), {
        io,
        env: options.env ?? {},
        version: '1.2.3',
        userName: 'ann',
        newId: () => `id-${++id}`,
        openStore: async (_, { mayBegin }) => {
          begun.push(mayBegin);
          return store;
        },
        preflight: options.preflight ?? (async () => []),
        runAgent: async () => 0,
        runWorker: async () => 0,
        runOperator: async () => 0,
      });
      const text = out.join('');
      return { exit, out: text, err: err.join(''), json: () => JSON.parse(text) };
    },
  };
};

export const products = RouteSpec.parse({
  route: 'products',
  indices: [{ source: 'products_v1', target: 'products_v2' }],
  aliases: ['products'],
});

export const withRoute = async (phase: Partial<PhaseRecord> = {}): Promise<Harness> => {
  const made = harness();
  await made.store.config.put(keys.config('products'), JSON.stringify(products));
  await made.store.config.put(keys.phase('products'), JSON.stringify({ ...initialPhase, ...phase }));
  return made;
};

export const withLeader = async (made: Harness, member = 'gateway-0'): Promise<void> => {
  await made.store.live.put(keys.lease('products'), JSON.stringify({ member, boot: 'b', turn: 1 }));
  await made.store.live.put(
    keys.heartbeat(member),
    JSON.stringify({ schema: 1, member, boot: 'b', version: '1', stale: false, routes: {} }),
  );
};

/** A route whose leader has not reported yet. */
export const withAgent = async (phase: Partial<PhaseRecord> = {}): Promise<Harness> => {
  const made = await withRoute(phase);
  await withLeader(made);
  return made;
};

/** Answers the request that stands in the store, as a leader would. */
export const answerAsk = async (
  { store }: Harness,
  result: Pick<AskResult, 'state' | 'message'> & Partial<AskResult>,
): Promise<Ask | undefined> => {
  const entry = await store.config.get(keys.ask('products'));
  if (entry === undefined) return undefined;
  const ask = Ask.parse(JSON.parse(entry.value));
  const answer: AskResult = { schema: 1, id: ask.id, at: '', ...result };
  await store.config.put(keys.job('products', askResultName), JSON.stringify(answer));
  return ask;
};

export const report = (fields: Record<string, unknown> = {}): string =>
  JSON.stringify({
    schema: 1,
    at: '2026-01-01T00:00:00Z',
    leader: 'gateway-0',
    phase: 'dual',
    epoch: 1,
    reign: 1,
    stage: 'Backfill',
    safeToAdvance: { ok: false, reasons: ['backfill complete: no'] },
    safeToRollBack: { ok: true, reasons: [] },
    ...fields,
  });

export const putReport = async ({ store }: Harness, fields: Record<string, unknown> = {}): Promise<void> => {
  await store.config.put(keys.job('products', jobStatusName), report(fields));
};
