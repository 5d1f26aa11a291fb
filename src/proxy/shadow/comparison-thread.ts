/**
 * A thread for large comparisons and for the redaction of samples, started by the first of them. Bodies are copied once and handed over, so that what the
 * samples hold stays theirs. A thread that dies, by a body that needs more memory than it may take, takes the comparisons
 * that it had with it: each is rejected, and the next one starts another thread. It never keeps the process alive.
 */
import { Worker } from 'node:worker_threads';
import type { Answer, Observation } from '../../compare/types.ts';
import type { ComparisonTask } from './comparer.ts';
import type { Redacted, RedactionTask } from './redaction-task.ts';

/** `rules` hold functions: the thread compiles them from their profile. */
export type SentTask = Omit<ComparisonTask, 'rules'> & { readonly profile: ComparisonTask['rules']['profile'] };
export type Work = { readonly task: SentTask } | { readonly redaction: RedactionTask };
export type Sent = { readonly id: number; readonly work: Work };
export type Told = { readonly id: number } & (
  { readonly result: Observation | Redacted } | { readonly error: unknown }
);

export type ComparisonThread = {
  compare(task: ComparisonTask): Promise<Observation>;
  redact(task: RedactionTask): Promise<Redacted>;
  close(): Promise<void>;
};

/** Enough for two answers of the largest size that shadow reads take by default, parsed. */
const defaultHeapMb = 256;

/** As this module runs: from its source or as plain JavaScript. */
const entry = (): URL =>
  new URL(`./comparison-thread-main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** A body may be a view of a larger buffer, all of which would be copied with it. */
const alone = (body: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(body);

/** Only what is compared: an answer may be part of something that cannot be copied. */
const slim = ({ status, failure, headers }: Answer, body: Uint8Array, withHeaders: boolean): Answer => ({
  status,
  body,
  ...(failure && { failure }),
  ...(withHeaders && headers && { headers }),
});

type Parcel = { readonly work: Work; readonly handedOver: ArrayBuffer[] };

const comparisonParcel = ({ rules, ...task }: ComparisonTask): Parcel => {
  const [first, second] = [alone(task.authority.body), alone(task.other.body)];
  const withHeaders = rules.profile.headers.length > 0;
  const request = { ...task.request, body: task.request.body && alone(task.request.body) };
  const [authority, other] = [slim(task.authority, first, withHeaders), slim(task.other, second, withHeaders)];
  return {
    work: { task: { ...task, request, authority, other, profile: rules.profile } },
    handedOver: [first.buffer, second.buffer],
  };
};

const redactionParcel = ({ request, answers, ...task }: RedactionTask): Parcel => {
  const [source, target] = [alone(answers.source.body), alone(answers.target.body)];
  const both = { source: slim(answers.source, source, false), target: slim(answers.target, target, false) };
  const alike = { ...request, body: request.body && alone(request.body) };
  return {
    work: { redaction: { ...task, request: alike, answers: both } },
    handedOver: [source.buffer, target.buffer],
  };
};

type Waiting = { resolve(result: Observation | Redacted): void; reject(error: unknown): void };
type Running = { readonly worker: Worker; readonly waiting: Map<number, Waiting> };

const settle = (waiting: Running['waiting'], told: Told): void => {
  const asker = waiting.get(told.id);
  waiting.delete(told.id);
  if ('error' in told) asker?.reject(told.error);
  else asker?.resolve(told.result);
};

const start = (heapMb: number, ended: (thread: Running) => void): Running => {
  const resourceLimits = { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: 16 };
  const worker = new Worker(entry(), { resourceLimits });
  const thread: Running = { worker, waiting: new Map() };
  const end = (error: unknown): void => {
    ended(thread);
    for (const { reject } of thread.waiting.values()) reject(error);
    thread.waiting.clear();
  };
  worker.on('message', (told: Told) => settle(thread.waiting, told));
  worker.on('error', end);
  worker.on('exit', (code) => end(new Error(`the comparison thread ended with ${code}`)));
  worker.unref();
  return thread;
};

export const createComparisonThread = ({ heapMb = defaultHeapMb } = {}): ComparisonThread => {
  let thread: Running | undefined;
  let lastId = 0;
  const running = (): Running => {
    thread ??= start(heapMb, (ended) => {
      if (thread === ended) thread = undefined;
    });
    return thread;
  };
  const ask = ({ work, handedOver }: Parcel): Promise<Observation | Redacted> =>
    new Promise((resolve, reject) => {
      const message: Sent = { id: ++lastId, work };
      const { worker, waiting } = running();
      waiting.set(message.id, { resolve, reject });
      worker.postMessage(message, handedOver);
    });
  return {
    compare: (task) => ask(comparisonParcel(task)) as Promise<Observation>,
    redact: (task) => ask(redactionParcel(task)) as Promise<Redacted>,
    close: async () => {
      await thread?.worker.terminate();
    },
  };
};
