import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  observeCopy,
  observeRead,
  observeRequest,
  observeShadow,
  observeWrite,
  type ScrapeSources,
  scrapeOf,
  timedTransport,
  workerScrapeOf,
} from '../../../src/app/observe.ts';
import { observeCutover, observeJobStatus } from '../../../src/app/observe-leader.ts';
import { RouteJobStatus } from '../../../src/coordination/job-status.ts';
import type { CopyReport, RouteStates } from '../../../src/coordination/ports.ts';
import { createMetrics, type Metrics, metricTable } from '../../../src/metrics.ts';
import type { RequestEvent } from '../../../src/proxy/client-request.ts';
import { noCounts } from '../../../src/proxy/shadow/tally.ts';
import { routeState } from '../../support/routes.ts';

const root = join(import.meta.dirname, '../../..');
let registry: Registry;
let metrics: Metrics;
beforeEach(() => {
  registry = new Registry();
  metrics = createMetrics(registry);
});

/** Lines of a metric that are not 0. */
const series = async (name: string): Promise<string[]> =>
  (await registry.metrics()).split('\n').filter((line) => line.startsWith(`crossfade_${name}`) && !line.endsWith(' 0'));

const event: RequestEvent = {
  family: 'search',
  access: 'read',
  routeSlug: 'products',
  side: 'target',
  upstreamMs: 4,
  clientMs: 7,
  status: 200,
  outcome: 'ok',
  durationMs: 12,
  errorCode: undefined,
};

describe('a request', () => {
  test('is counted by route, family, side and outcome, and its time is split between cluster, client and sidecar', async () => {
    observeRequest(metrics)(event);
    expect(await series('requests_total')).toEqual([
      'crossfade_requests_total{route="products",family="search",side="target",outcome="ok"} 1',
    ]);
    expect(await series('upstream_duration_seconds_sum')).toEqual([
      'crossfade_upstream_duration_seconds_sum{side="target",use="client"} 0.004',
    ]);
    expect(await series('added_latency_seconds_sum')).toEqual([
      'crossfade_added_latency_seconds_sum{access="read"} 0.001',
    ]);
  });

  test('of no route has the label -, and one refused here has a code and no cluster time', async () => {
    observeRequest(metrics)({
      ...event,
      routeSlug: undefined,
      side: 'none',
      upstreamMs: 0,
      clientMs: 0,
      outcome: 'refused',
      errorCode: 'BAD_FRAMING',
    });
    expect(await series('requests_total')).toEqual([
      'crossfade_requests_total{route="-",family="search",side="none",outcome="refused"} 1',
    ]);
    expect(await series('errors_total')).toEqual(['crossfade_errors_total{code="BAD_FRAMING"} 1']);
    expect(await series('added_latency_seconds_sum')).toEqual([]);
  });
});

describe('events of the rooms', () => {
  test('are counted under their own names', async () => {
    observeCopy(metrics)('products', 'superseded');
    observeWrite(metrics)({ kind: 'ack_timeout', slug: 'products' });
    observeWrite(metrics)({ kind: 'read_back', slug: 'products', documents: 3, failed: 0 });
    observeWrite(metrics)({ kind: 'read_back', slug: 'products', documents: 3, failed: 1 });
    observeRead(metrics)({ kind: 'fallback', slug: 'products', family: 'get', cause: 'not_found' });
    observeShadow(metrics)({ kind: 'compared', slug: 'products', severity: 'S4' });
    observeShadow(metrics)({ kind: 'breaker', slug: 'products', state: 'open' });
    expect(await series('copies_total')).toEqual(['crossfade_copies_total{route="products",result="superseded"} 1']);
    expect(await series('write_events_total')).toEqual([
      'crossfade_write_events_total{route="products",event="ack_timeout"} 1',
      'crossfade_write_events_total{route="products",event="read_back_failed"} 1',
    ]);
    expect(await series('read_fallbacks_total')).toEqual([
      'crossfade_read_fallbacks_total{route="products",cause="not_found"} 1',
    ]);
    expect(await series('shadow_compared_total')).toEqual([
      'crossfade_shadow_compared_total{route="products",severity="S4"} 1',
    ]);
    expect(await series('shadow_breaker_open')).toEqual(['crossfade_shadow_breaker_open{route="products"} 1']);
  });

  test('of the engine are timed also when they fail', async () => {
    const transport = timedTransport({ request: () => Promise.reject(new Error('away')) }, 'source', metrics);
    await expect(transport.request({ method: 'GET', path: '/' })).rejects.toThrow('away');
    expect(await series('upstream_duration_seconds_count')).toEqual([
      'crossfade_upstream_duration_seconds_count{side="source",use="background"} 1',
    ]);
  });
});

describe('a scrape', () => {
  const copies: CopyReport = {
    pendingCopies: 3,
    pendingBytes: 1200,
    oldestPendingMs: 500,
    dropped: 2,
    quarantined: 0,
    unknownOutcomes: 0,
    sweepNeeded: 0,
    ledger: [],
    reign: 1,
  };
  const sources = (states: RouteStates): ScrapeSources => ({
    states: () => states,
    admission: { report: () => undefined },
    copier: { report: () => copies },
    shadow: { counts: () => ({ ...noCounts, underWay: 2 }) },
    filled: { mayServe: () => true },
    brake: { allows: () => true },
    store: () => ({ connected: true, kind: 'nats', detail: '', incarnation: 'i', alarm: undefined }),
    members: () => 3,
    connections: () => 7,
    requests: () => 5,
  });

  test('shows the present state, twice the same', async () => {
    const state = routeState({ phase: 'dual', percent: { read: 25 }, stop: false });
    const scrape = scrapeOf(registry, metrics, sources(new Map([['products', state]])));
    const first = await scrape.metrics();
    for (const line of [
      'crossfade_route_percent{route="products",kind="read"} 25',
      'crossfade_route_phase{route="products",phase="dual"} 1',
      'crossfade_route_phase{route="products",phase="off"} 0',
      'crossfade_copies_pending{route="products"} 3',
      'crossfade_copies_oldest_pending_seconds{route="products"} 0.5',
      'crossfade_copies_dropped_total{route="products"} 2',
      'crossfade_shadow_in_flight{route="products"} 2',
      'crossfade_members 3',
      'crossfade_client_connections 7',
      'crossfade_requests_in_flight 5',
      'crossfade_store_connected 1',
    ])
      expect(first.split('\n')).toContain(line);
    expect(await scrape.metrics()).toBe(first);
  });

  test('says that no read goes to a follower that is not filled, whatever was set', async () => {
    const state = routeState({ phase: 'dual', percent: { read: 25, shadow: 5 } });
    const filling = { ...sources(new Map([['products', state]])), filled: { mayServe: () => false } };
    const lines = (await scrapeOf(registry, metrics, filling).metrics()).split('\n');
    expect(lines).toContain('crossfade_route_percent{route="products",kind="read"} 0');
    expect(lines).toContain('crossfade_route_percent{route="products",kind="shadow"} 5');
  });

  test('says that no read goes to a follower before which the brake is on', async () => {
    const state = routeState({ phase: 'dual', percent: { read: 25, shadow: 5 } });
    const braked = { ...sources(new Map([['products', state]])), brake: { allows: () => false } };
    const lines = (await scrapeOf(registry, metrics, braked).metrics()).split('\n');
    expect(lines).toContain('crossfade_route_percent{route="products",kind="read"} 0');
  });

  test('has no series of a route that is gone', async () => {
    let states: RouteStates = new Map([['products', routeState()]]);
    const scrape = scrapeOf(registry, metrics, { ...sources(states), states: () => states });
    await scrape.metrics();
    states = new Map();
    expect(await scrape.metrics()).not.toContain('crossfade_route_epoch{route="products"}');
  });

  test('of a hundred routes takes a bounded number of lines each', async () => {
    const many = new Map(Array.from({ length: 100 }, (_, i) => [`route-${i}`, routeState({ slug: `route-${i}` })]));
    const text = await scrapeOf(registry, metrics, sources(many)).metrics();
    expect(text.split('\n').filter((line) => line.includes('route="route-7"')).length).toBeLessThan(40);
  });
});

describe('a worker', () => {
  test('tells of the store, and claims nothing about members and requests that it cannot know', async () => {
    const store = { connected: true, kind: 'nats', detail: '', incarnation: 'i', alarm: undefined } as const;
    const text = await workerScrapeOf(registry, metrics, () => store).metrics();
    expect(text).toContain('crossfade_store_connected 1');
    expect(text).not.toMatch(/^crossfade_(members|client_connections|requests_in_flight) /m);
  });
});

describe('the leader', () => {
  const status = RouteJobStatus.parse({
    schema: 1,
    at: '2026-01-01T00:00:00Z',
    leader: 'm',
    phase: 'target',
    epoch: 2,
    reign: 2,
    stage: 'Soak',
    tail: { lagSeconds: 0.5, behind: 4 },
    backfill: { state: 'done', docs: 10, percent: 100 },
    proof: { at: '2026-01-01T00:00:00Z', equal: true },
    safeToAdvance: { ok: false, reasons: ['x'] },
    safeToRollBack: { ok: true, reasons: [] },
  });

  test('has series of the migration while it leads, and none afterwards', async () => {
    observeJobStatus(metrics)('products', status);
    expect(await series('tail_lag_seconds')).toEqual(['crossfade_tail_lag_seconds{route="products"} 0.5']);
    expect(await series('tail_caught_up_timestamp_seconds')).toEqual([
      'crossfade_tail_caught_up_timestamp_seconds{route="products"} 1767225599.5',
    ]);
    expect(await series('rollback_ready')).toEqual(['crossfade_rollback_ready{route="products"} 1']);
    expect(await series('backfill_progress_ratio')).toEqual(['crossfade_backfill_progress_ratio{route="products"} 1']);
    expect(await series('proof_timestamp_seconds')).toEqual([
      'crossfade_proof_timestamp_seconds{route="products"} 1767225600',
    ]);
    observeJobStatus(metrics)('products', undefined);
    expect(await registry.metrics()).not.toContain('crossfade_tail_lag_seconds{');
    expect(await registry.metrics()).toContain('crossfade_leader{route="products"} 0');
  });

  test('takes its verdict along when it stops leading, so that no alert stays behind', async () => {
    const verdict = {
      verdict: 'rollback',
      reason: '',
      samples: 1,
      eValues: [{ severity: 'S9', value: 30, limit: 20 }],
    };
    observeJobStatus(metrics)('products', RouteJobStatus.parse({ ...status, verdict }));
    expect(await series('shadow_verdict')).toEqual(['crossfade_shadow_verdict{route="products",verdict="rollback"} 1']);
    expect(await series('shadow_e_value')).toHaveLength(2);
    observeJobStatus(metrics)('products', undefined);
    expect(await registry.metrics()).not.toMatch(/crossfade_shadow_(verdict|e_value|e_value_limit)\{/);
  });

  test('has a counter at zero for every end of a switch, so that the first one that fails is an increase', async () => {
    observeJobStatus(metrics)('products', status);
    const text = await registry.metrics();
    for (const result of ['aborted', 'failed', 'committed'])
      expect(text).toContain(`crossfade_cutovers_total{route="products",kind="cutover",result="${result}"} 0`);
  });

  test('has no chunk left for workers, and no tail, in a phase without copies', async () => {
    const running = { state: 'running', docs: 10, chunksRemaining: 41 };
    observeJobStatus(metrics)('products', RouteJobStatus.parse({ ...status, phase: 'dual', backfill: running }));
    const { backfill: _, tail: __, ...rest } = status;
    observeJobStatus(metrics)('products', { ...rest, phase: 'observe' });
    const text = await registry.metrics();
    expect(text).toContain('crossfade_backfill_chunks_remaining{route="products"} 0\n');
    expect(text).not.toMatch(/crossfade_(tail|backfill_documents)\w*\{/);
  });

  test('tells how much of a backfill is left, and when it last looked', async () => {
    const backfill = { state: 'running', docs: 10, chunksRemaining: 41 };
    observeJobStatus(metrics)('products', RouteJobStatus.parse({ ...status, backfill }));
    expect(await series('backfill_chunks_remaining')).toEqual([
      'crossfade_backfill_chunks_remaining{route="products"} 41',
    ]);
    expect(await series('status_timestamp_seconds')).toEqual([
      'crossfade_status_timestamp_seconds{route="products"} 1767225600',
    ]);
  });

  test('is not ready for a rollback where there is nothing to roll back', async () => {
    observeJobStatus(metrics)('products', { ...status, phase: 'dual' });
    expect(await registry.metrics()).toContain('crossfade_rollback_ready{route="products"} 0');
  });

  test('counts switches with their pause and their steps', async () => {
    observeCutover(metrics)('products', {
      at: '',
      kind: 'cutover',
      result: 'committed',
      pauseMs: 80,
      stepsMs: { drain: 20 },
    });
    expect(await series('cutovers_total')).toEqual([
      'crossfade_cutovers_total{route="products",kind="cutover",result="committed"} 1',
    ]);
    expect(await series('cutover_pause_seconds_sum')).toEqual([
      'crossfade_cutover_pause_seconds_sum{route="products",kind="cutover"} 0.08',
    ]);
    expect(await series('cutover_step_seconds_sum')).toEqual([
      'crossfade_cutover_step_seconds_sum{route="products",step="drain"} 0.02',
    ]);
  });
});

describe('every declared metric', () => {
  test('is fed by somebody', () => {
    const text = globSync('src/app/*.ts', { cwd: root })
      .map((file) => readFileSync(join(root, file), 'utf8'))
      .join('\n');
    const unfed = Object.keys(metricTable).filter(
      (name) => !new RegExp(`metrics\\.${name}\\b|^  ${name}: \\(`, 'm').test(text),
    );
    expect(unfed).toEqual([]);
  });
});
