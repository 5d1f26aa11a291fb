/**
 * Clients that write to a small set of documents at a steady rate, through whichever agents they are told of: replaced,
 * deleted, scripted and bulk writes, several at once on one document, each value used once. What each client is told is
 * judged by the letter: an answer that says the request was surely not sent is a failure, a broken connection is doubt.
 */
import { Agent, request } from 'undici';
import { type ErrorCode, errorTable } from '../../src/errors.ts';
import type { Change, Outcome } from './checker.ts';
import type { Recorded, Recorder } from './recorder.ts';

export const documentIds = Array.from({ length: 60 }, (_, i) => `doc-${i}`);
export const listIds = Array.from({ length: 4 }, (_, i) => `list-${i}`);

export type LoadOptions = {
  alias: string;
  agents: () => readonly string[];
  recorder: Recorder;
  perSecond: number;
  /** False where a cluster may repeat an update by itself. */
  updates?: boolean | undefined;
  /** How long a client waits for an answer. */
  patienceMs?: number | undefined;
};
export type Load = {
  /** Resolves when so many more operations have been acknowledged. */
  acknowledges(count: number): Promise<void>;
  stop(): Promise<void>;
};

type Answer = { status: number; code: string | undefined; text: string };
type BulkAnswer = { items: Record<string, { status: number }>[] };

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

/** 404 answers the deletion of what is not there: it is done. */
const outcomeOf = (status: number, code: string | undefined): Outcome => {
  if (status < 300 || (status === 404 && code === undefined)) return 'acknowledged';
  if (code !== undefined) return errorTable[code as ErrorCode].notSent ? 'failed' : 'unknown';
  return status < 500 ? 'failed' : 'unknown';
};

const script = { source: 'ctx._source.tokens.add(params.token)', lang: 'painless' };

const single = (alias: string, change: Change): { method: 'PUT' | 'DELETE' | 'POST'; path: string; body?: unknown } => {
  if (change.kind === 'append')
    return {
      method: 'POST',
      path: `/${alias}/_update/${change.id}`,
      body: { script: { ...script, params: { token: change.token } } },
    };
  const path = `/${alias}/_doc/${change.id}`;
  return change.value === undefined
    ? { method: 'DELETE', path }
    : { method: 'PUT', path, body: { value: change.value } };
};

const bulkLines = (changes: readonly Recorded[]): string =>
  changes
    .flatMap((change) => {
      if (change.kind === 'append') return [];
      const action = JSON.stringify({ [change.value === undefined ? 'delete' : 'index']: { _id: change.id } });
      return change.value === undefined ? [action] : [action, JSON.stringify({ value: change.value })];
    })
    .map((line) => `${line}\n`)
    .join('');

export const startLoad = (options: LoadOptions): Load => {
  const { alias, agents, recorder, perSecond, updates = true, patienceMs = 20_000 } = options;
  const dispatcher = new Agent({ headersTimeout: patienceMs, bodyTimeout: patienceMs });
  const underWay = new Set<Promise<void>>();
  let values = 0;

  const send = async (method: 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await request(`${pick(agents())}${path}`, {
      method,
      dispatcher,
      ...(body === undefined ? {} : { body: text, headers: { 'content-type': 'application/json' } }),
    });
    const code = answer.headers['x-crossfade-error'] as string | undefined;
    return { status: answer.statusCode, code, text: await answer.body.text() };
  };
  const broken = (error: unknown): { outcome: Outcome; answer: string } => {
    const { code = 'broken' } = error as { code?: string };
    return { outcome: code === 'ECONNREFUSED' ? 'failed' : 'unknown', answer: code };
  };
  const settleAll = (operations: readonly Recorded[], judge: (index: number) => { outcome: Outcome; answer: string }) =>
    operations.forEach((operation, i) => {
      const { outcome, answer } = judge(i);
      recorder.settle(operation, outcome, answer);
    });
  const judged = (status: number, code?: string) => ({
    outcome: outcomeOf(status, code),
    answer: `${status} ${code ?? ''}`.trim(),
  });

  const one = async (change: Change): Promise<void> => {
    const operation = recorder.begin(change);
    const { method, path, body } = single(alias, change);
    try {
      const { status, code } = await send(method, path, body);
      settleAll([operation], () => judged(status, code));
    } catch (error) {
      settleAll([operation], () => broken(error));
    }
  };
  const many = async (changes: readonly Change[]): Promise<void> => {
    const operations = changes.map((change) => recorder.begin(change));
    try {
      const { status, code, text } = await send('POST', `/${alias}/_bulk`, bulkLines(operations));
      const items = status === 200 ? (JSON.parse(text) as BulkAnswer).items : [];
      settleAll(operations, (i) => judged(Object.values(items[i] ?? {})[0]?.status ?? status, code));
    } catch (error) {
      settleAll(operations, () => broken(error));
    }
  };
  const value = (): string => `v${values++}`;
  const set = (): Change => ({ kind: 'set', id: pick(documentIds), value: Math.random() < 0.2 ? undefined : value() });
  const act = (): Promise<void> => {
    const draw = Math.random();
    if (updates && draw < 0.15) return one({ kind: 'append', id: pick(listIds), token: value() });
    if (draw > 0.9)
      return many([...new Map(Array.from({ length: 5 }, set).map((change) => [change.id, change])).values()]);
    return one(set());
  };
  const timer = setInterval(() => {
    if (underWay.size > 500) return;
    const work = act().finally(() => underWay.delete(work));
    underWay.add(work);
  }, 1000 / perSecond);

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await Promise.all(underWay);
    await dispatcher.close();
  };
  const acknowledged = (): number => recorder.operations.filter(({ outcome }) => outcome === 'acknowledged').length;
  return {
    acknowledges: async (count) => {
      const goal = acknowledged() + count;
      while (acknowledged() < goal) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    stop: () => (stopped ??= stop()),
  };
};
