/**
 * Writers that never pause, each with ids of its own, so that the last acknowledged write of every document is known.
 * They remember how long each write took and when, so that the longest wait of any stretch of time can be asked for
 * afterwards. Times are wall-clock milliseconds, to be compared with what agents report.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';

export type Wait = { beganMs: number; ms: number };
export type SteadyWriters = {
  readonly sent: number;
  readonly failed: number;
  /** By id; undefined = the last write was a delete. Ids whose last write failed are left out. */
  readonly last: ReadonlyMap<string, number | undefined>;
  /** Of the writes that were under way at any moment in between. */
  longestWait(fromMs: number, toMs: number): Wait;
  /** After the last answer. */
  stop(): Promise<void>;
};
export type SteadyWritersOptions = {
  urls: readonly string[];
  index: string;
  writersPerUrl: number;
  /** All writers together. */
  perSecond: number;
};

const documentsPerWriter = 40;
const wallMs = (): number => performance.timeOrigin + performance.now();

export const startSteadyWriters = ({ urls, index, writersPerUrl, perSecond }: SteadyWritersOptions): SteadyWriters => {
  const dispatcher = new Agent({ connections: writersPerUrl });
  const everyMs = (1000 * writersPerUrl * urls.length) / perSecond;
  const last = new Map<string, number | undefined>();
  const waits: Wait[] = [];
  let running = true;
  let failed = 0;

  const write = async (url: string, id: string, n: number, remove: boolean): Promise<boolean> => {
    const answer = await request(`${url}/${index}/_doc/${id}`, {
      method: remove ? 'DELETE' : 'PUT',
      dispatcher,
      headers: { 'content-type': 'application/json' },
      ...(remove ? {} : { body: JSON.stringify({ n }) }),
    });
    await answer.body.dump();
    return answer.statusCode < 300 || (remove && answer.statusCode === 404);
  };
  const timed = async (url: string, id: string, n: number): Promise<void> => {
    const remove = n % 10 === 9;
    const beganMs = wallMs();
    const ok = await write(url, id, n, remove).catch(() => false);
    waits.push({ beganMs, ms: wallMs() - beganMs });
    if (ok) last.set(id, remove ? undefined : n);
    else {
      failed++;
      last.delete(id);
    }
  };
  const writer = async (url: string, name: string): Promise<void> => {
    let next = performance.now();
    for (let n = 0; running; n++) {
      await timed(url, `${name}-${n % documentsPerWriter}`, n);
      next = Math.max(next + everyMs, performance.now());
      await delay(Math.max(0, next - performance.now()));
    }
  };
  const writers = urls.flatMap((url, u) => Array.from({ length: writersPerUrl }, (_, w) => writer(url, `w${u}-${w}`)));

  return {
    get sent() {
      return waits.length;
    },
    get failed() {
      return failed;
    },
    last,
    longestWait: (fromMs, toMs) =>
      waits
        .filter(({ beganMs, ms }) => beganMs <= toMs && beganMs + ms >= fromMs)
        .reduce((longest, wait) => (wait.ms > longest.ms ? wait : longest), { beganMs: fromMs, ms: 0 }),
    stop: async () => {
      running = false;
      await Promise.all(writers);
    },
  };
};
