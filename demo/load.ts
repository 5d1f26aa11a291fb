/**
 * The users of the demo's application: a steady mix of searches, reads, writes, sales, imports and deletes at a bounded
 * rate, with the latencies and failures that they see. It remembers what was acknowledged, so that the demo can check
 * at the end that nothing of it was lost.
 */
import { Agent, request } from 'undici';
import { claim } from './report.ts';

export type Product = { name: string; category: string; price: number; stock: number };
/** `undefined` = deleted. Documents with a write under way when the load ended are left out. */
export type Acknowledged = Map<string, Product | undefined>;
export type LoadWindow = { requestsPerSecond: number; p50Ms: number; p99Ms: number; failures: number };
export type Load = {
  window(): LoadWindow;
  failures(): number;
  requests(): number;
  acknowledged: Acknowledged;
  stop(): Promise<void>;
};

const words = ['red', 'blue', 'small', 'large', 'fast', 'steel', 'wooden', 'garden', 'office', 'travel'];
const categories = ['tools', 'toys', 'books', 'food'];
const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
const product = (): Product => ({
  name: `${pick(words)} ${pick(words)} ${pick(['lamp', 'chair', 'kettle', 'bag'])}`,
  category: pick(categories),
  price: Math.round(Math.random() * 10_000) / 100,
  stock: 100,
});

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

type Options = { gateways: readonly string[]; requestsPerSecond: number; documents: number; workers?: number };

export const startLoad = ({ gateways, requestsPerSecond, documents, workers = 8 }: Options): Load => {
  const agent = new Agent({ connections: 16 });
  const acknowledged: Acknowledged = new Map();
  let samples: number[] = [];
  let windowStart = performance.now();
  let windowFailures = 0;
  let failures = 0;
  let requests = 0;
  let running = true;

  const send = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<number> => {
    const from = performance.now();
    requests++;
    const url = `${pick(gateways)}${path}`;
    try {
      const answer = await request(url, {
        method,
        dispatcher: agent,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      await answer.body.dump();
      samples.push(performance.now() - from);
      // 404 is what a reader of a deleted product should see; 409 is what two sellers of one product may see.
      if (answer.statusCode >= 400 && answer.statusCode !== 404 && answer.statusCode !== 409) failed();
      return answer.statusCode;
    } catch {
      failed();
      return 0;
    }
  };
  const failed = (): void => {
    failures++;
    windowFailures++;
  };
  const ok = (status: number): boolean => status >= 200 && status < 300;

  /** Each worker owns a range of ids, so that the last acknowledged write of a document is known. */
  const write = async (id: string): Promise<void> => {
    const value = product();
    const status = await send('PUT', `/products/${id}`, value);
    if (ok(status)) acknowledged.set(id, value);
    else acknowledged.delete(id);
  };
  const remove = async (id: string): Promise<void> => {
    const status = await send('DELETE', `/products/${id}`);
    if (ok(status) || status === 404) acknowledged.set(id, undefined);
    else acknowledged.delete(id);
  };
  const importMany = async (ids: readonly string[]): Promise<void> => {
    const items = ids.map((id) => ({ id, ...product() }));
    const good = ok(await send('POST', '/import', items));
    for (const { id, ...value } of items) {
      if (good) acknowledged.set(id, value);
      else acknowledged.delete(id);
    }
  };
  const sell = async (id: string): Promise<void> => {
    const before = acknowledged.get(id);
    const status = await send('POST', `/products/${id}/sell`);
    if (ok(status) && before !== undefined) acknowledged.set(id, { ...before, stock: before.stock - 1 });
    else if (!ok(status) && status !== 404) acknowledged.delete(id);
  };
  const act = async (ids: readonly string[]): Promise<void> => {
    const draw = Math.random();
    const id = pick(ids);
    if (draw < 0.35) await send('GET', `/search?q=${pick(words)}`);
    else if (draw < 0.6) await send('GET', `/products/${id}`);
    else if (draw < 0.8) await write(id);
    else if (draw < 0.9) await sell(id);
    else if (draw < 0.96) await remove(id);
    else await importMany([...new Set(Array.from({ length: 10 }, () => pick(ids)))]);
  };

  const everyMs = (workers * 1000) / requestsPerSecond;
  const work = async (worker: number): Promise<void> => {
    const ids = Array.from({ length: Math.ceil(documents / workers) }, (_, i) => `p-${worker}-${i}`);
    let next = performance.now();
    while (running) {
      await act(ids);
      next = Math.max(next + everyMs, performance.now());
      await new Promise((resolve) => setTimeout(resolve, next - performance.now()));
    }
  };
  const all = Array.from({ length: workers }, (_, worker) => work(worker));

  return {
    acknowledged,
    failures: () => failures,
    requests: () => requests,
    window: () => {
      const seconds = (performance.now() - windowStart) / 1000;
      const sorted = samples.sort((a, b) => a - b);
      const window = {
        requestsPerSecond: sorted.length / seconds,
        p50Ms: percentile(sorted, 0.5),
        p99Ms: percentile(sorted, 0.99),
        failures: windowFailures,
      };
      samples = [];
      windowFailures = 0;
      windowStart = performance.now();
      return window;
    },
    stop: async () => {
      running = false;
      await Promise.all(all);
      await agent.close();
    },
  };
};

export const untouched = (load: Load): void =>
  claim('no request of the application has failed', load.failures() === 0, `${load.failures()} of ${load.requests()}`);
