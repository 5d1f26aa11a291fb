/**
 * The data plane in front of two clusters, real or pretended, with the executors of reads and a shadow runner: what a
 * test of reads talks to over HTTP. Writes are refused; tests put documents where they want them themselves.
 */
import { request as httpRequest } from 'undici';
import { ClusterConfig, Limits } from '../../src/config.ts';
import type { DocKey, RouteState } from '../../src/coordination/ports.ts';
import { CrossfadeError } from '../../src/errors.ts';
import { silentLogger } from '../../src/log.ts';
import { classify } from '../../src/proxy/classify.ts';
import { createHandler } from '../../src/proxy/execute.ts';
import { createByBodyExecutor } from '../../src/proxy/execute-by-body.ts';
import type { Executors } from '../../src/proxy/executors.ts';
import { createFailedRefreshes } from '../../src/proxy/failed-refreshes.ts';
import { plan } from '../../src/proxy/plan.ts';
import { createPassThrough, createReadExecutors, type ReadDeps, type ReadEvent } from '../../src/proxy/read/index.ts';
import { createListener } from '../../src/proxy/listener.ts';
import type { ShadowReport } from '../../src/proxy/shadow/ports.ts';
import { createComparisonThread } from '../../src/proxy/shadow/comparison-thread.ts';
import { type ShadowEvent, ShadowReads } from '../../src/proxy/shadow/runner.ts';
import { createCluster } from '../../src/upstream/cluster.ts';
import { oneClusterTableOf, tableOf } from './routes.ts';

export type Got = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests reach into answers of every API
  json: any;
};
export type ReadStack = {
  readonly url: string;
  readonly events: ReadEvent[];
  readonly shadowEvents: ShadowEvent[];
  readonly reports: ShadowReport[];
  readonly shadow: ShadowReads;
  /** Documents whose copy is on its way. */
  readonly pending: Set<string>;
  setStates(...states: readonly RouteState[]): void;
  send(method: string, path: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Got>;
  close(): Promise<void>;
};

export const pendingKey = ({ slug, ordinal, id, routing }: DocKey): string =>
  `${slug}/${ordinal}/${id}/${routing ?? ''}`;

const refuse = (): Promise<void> => Promise.reject(new CrossfadeError('UNSUPPORTED', 'no writes here'));
const noWrites = { write: refuse, bulk: refuse, by_query: refuse, reindex: refuse };

type Options = {
  sourceUrl: string;
  targetUrl: string;
  deps?: Partial<ReadDeps>;
  shadow?: Partial<ConstructorParameters<typeof ShadowReads>[0]>;
};

const clustersOf = ({ sourceUrl, targetUrl }: Options) => {
  const logger = silentLogger();
  const open = (side: 'source' | 'target', url: string) =>
    createCluster(ClusterConfig.parse({ url }), { side, logger });
  return { source: open('source', sourceUrl), target: open('target', targetUrl) };
};

export const startReadStack = async (options: Options): Promise<ReadStack> => {
  const [clusters, background] = [clustersOf(options), clustersOf(options)];
  const logger = silentLogger();
  const [events, shadowEvents, reports]: [ReadEvent[], ShadowEvent[], ShadowReport[]] = [[], [], []];
  const pending = new Set<string>();
  const toTable = options.deps?.sameCluster === true ? oneClusterTableOf : tableOf;
  let table = toTable();
  const now = () => performance.now();
  const comparisons = createComparisonThread();
  const shadow = new ShadowReads({
    transports: { source: background.source.transport, target: background.target.transport },
    random: Math.random,
    now,
    logger,
    onEvent: (event) => void shadowEvents.push(event),
    onReport: (report) => void reports.push(report),
    compareApart: (task) => comparisons.compare(task),
    ...options.shadow,
  });
  const streams = createPassThrough(clusters);
  const refreshes = createFailedRefreshes(now);
  const reads = createReadExecutors({
    transports: { source: clusters.source.transport, target: clusters.target.transport },
    streams,
    table: () => table,
    copies: { isPending: (key) => pending.has(pendingKey(key)) },
    shadow,
    refreshes,
    limits: { maxBodyBytes: 10 * 1024 * 1024 },
    logger,
    random: Math.random,
    now,
    cursorSecret: () => 'secret of all replicas',
    sideHeader: true,
    onEvent: (event) => void events.push(event),
    ...options.deps,
  });
  const byBody = createByBodyExecutor({
    table: () => table,
    now: () => new Date(),
    maxBodyBytes: 10 * 1024 * 1024,
    ...(options.deps?.sameCluster === undefined ? {} : { sameCluster: options.deps.sameCluster }),
    pass: (request, side) => streams.pass(request, { side }),
    cursor: reads.cursor,
    admin: reads.admin,
  });
  const listener = createListener({
    limits: Limits.parse({}),
    logger,
    handle: createHandler({
      clusters,
      table: () => table,
      classify,
      plan,
      executors: { ...noWrites, ...reads, by_body: byBody } as Executors,
      listening: () => ({ address: '127.0.0.1:0', defaultPort: 80 }),
      maxBodyBytes: 10 * 1024 * 1024,
      sameCluster: options.deps?.sameCluster ?? false,
      refreshes,
    }),
  });
  const { port } = await listener.listen('127.0.0.1:0');
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    events,
    shadowEvents,
    reports,
    shadow,
    pending,
    setStates: (...states) => {
      table = toTable(...states);
    },
    send: (method, path, sent = {}) => sendTo(url, method, path, sent),
    close: async () => {
      await listener.close(0);
      await shadow.close();
      await comparisons.close();
      await Promise.all([...Object.values(clusters), ...Object.values(background)].map((cluster) => cluster.close()));
    },
  };
};

type Sent = { body?: unknown; headers?: Record<string, string> };

/** Bodies that are no strings are sent as JSON; lists as NDJSON. */
export const sendTo = async (url: string, method: string, path: string, { body, headers = {} }: Sent): Promise<Got> => {
  const text = bodyText(body);
  const answer = await httpRequest(`${url}${path}`, {
    method: method as 'GET',
    headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(text === undefined ? {} : { body: text }),
  });
  const received = await answer.body.text();
  return { status: answer.statusCode, headers: answer.headers, text: received, json: parsed(received) };
};

const bodyText = (body: unknown): string | undefined => {
  if (body === undefined || typeof body === 'string') return body;
  return Array.isArray(body) ? body.map((line) => `${JSON.stringify(line)}\n`).join('') : JSON.stringify(body);
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
