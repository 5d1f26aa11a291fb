/** What a member counts for the dashboards, and when it tells. */
import { beforeEach, describe, expect, it } from 'vitest';
import { startDashboardReports } from '../../../src/app/dashboard-reports.ts';
import { createTrafficTally } from '../../../src/app/traffic-tally.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { bucketOfMs } from '../../../src/fleet/traffic.ts';
import type { RequestEvent } from '../../../src/proxy/client-request.ts';
import type { ShadowReport } from '../../../src/proxy/shadow/ports.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type ManualRuntime, manualRuntime } from '../../support/manual-runtime.ts';

const request = (over: Partial<RequestEvent>): RequestEvent => ({
  family: 'search',
  access: 'read',
  routeSlug: 'products',
  side: 'source',
  upstreamMs: 10,
  clientMs: 0,
  durationMs: 11,
  status: 200,
  outcome: 'ok',
  errorCode: undefined,
  ...over,
});

describe('the tally of traffic', () => {
  it.each<[string, Partial<RequestEvent>, number[]]>([
    ['a read on the source', {}, [1, 0, 0, 0, 0]],
    ['a read on the target', { side: 'target' }, [0, 1, 0, 0, 0]],
    ['a write on the source', { access: 'write' }, [0, 0, 1, 0, 0]],
    ['a write on the target', { access: 'write', side: 'target' }, [0, 0, 0, 1, 0]],
    ['a read that the cluster failed', { outcome: 'server_error' }, [1, 0, 0, 0, 1]],
    ['a request that was refused here', { side: 'none', outcome: 'refused' }, [0, 0, 0, 0, 1]],
    ['a request that the client may correct', { outcome: 'client_error' }, [1, 0, 0, 0, 0]],
    ['an administrative request', { access: 'admin' }, [0, 0, 0, 0, 0]],
  ])('counts %s', (_, over, counts) => {
    const tally = createTrafficTally();
    tally.request(request(over));
    expect(tally.lines()['products']?.counts).toEqual(counts);
  });

  it('keeps the time on the cluster, and that of the client, apart from the time in the sidecar', () => {
    const tally = createTrafficTally();
    tally.request(request({ upstreamMs: 40, clientMs: 100, durationMs: 141 }));
    const line = tally.lines()['products'];
    expect([line?.source[bucketOfMs(40)], line?.added[bucketOfMs(1)]]).toEqual([1, 1]);
  });

  it('leaves requests of no route out', () => {
    const tally = createTrafficTally();
    tally.request(request({ routeSlug: undefined }));
    expect(tally.lines()).toEqual({});
  });

  it.each([
    ['source', 'target'],
    ['target', 'source'],
  ] as const)('counts a comparison for the other side while the %s has the authority', (authority, other) => {
    const tally = createTrafficTally();
    const report = { slug: 'products', authority, otherMs: 7, observation: { severity: 'S4' } };
    tally.shadow(report as unknown as ShadowReport);
    const line = tally.lines()['products'];
    expect([line?.[other][bucketOfMs(7)], line?.[authority][bucketOfMs(7)]]).toEqual([1, 0]);
    expect(line?.severities).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
  });

  it('leaves a discarded comparison out, and forgets a route that is gone', () => {
    const tally = createTrafficTally();
    const observation = { severity: 'none', discard: 'authority_failed' };
    tally.shadow({ slug: 'products', authority: 'source', otherMs: 7, observation } as unknown as ShadowReport);
    expect(tally.lines()['products']?.severities[0]).toBe(0);
    tally.keepOnly(new Set(['others']));
    expect(tally.lines()).toEqual({});
  });
});

describe('the reports to dashboards', () => {
  let runtime: ManualRuntime;
  let store: MemoryStore;
  const samples = Array.from({ length: 100 }, (_, i) => ({
    id: `d${i}`,
    at: String(i),
    severity: 'S8',
    pad: 'x'.repeat(1000),
  }));
  const start = (members = 1) =>
    startDashboardReports({
      live: store.live,
      member: 'm1',
      boot: 'b1',
      traffic: () => ({}),
      samples: () => samples,
      members: () => members,
      now: runtime.now,
      timers: { set: (callback, ms) => runtime.after(ms, callback) },
    });
  const watch = (wanted: string[] = []) =>
    store.live.put(keys.watch('m9'), JSON.stringify({ schema: 1, samples: wanted }));
  const found = async () =>
    (JSON.parse((await store.live.get(keys.found('m1')))?.value ?? '{}') as { routes?: Record<string, unknown[]> })
      .routes;

  beforeEach(() => {
    runtime = manualRuntime();
    store = new MemoryStore();
  });

  it('are not written while nobody looks', async () => {
    start();
    await runtime.advance(60_000);
    expect(await store.live.list('')).toEqual([]);
  });

  it('begin within two seconds and end when the watcher falls silent', async () => {
    start();
    await watch();
    await runtime.advance(2000);
    const first = await store.live.get(keys.traffic('m1'));
    expect(JSON.parse(first?.value ?? '')).toEqual({ schema: 1, member: 'm1', boot: 'b1', upMs: 2000, routes: {} });
    await runtime.advance(60_000);
    expect(JSON.parse((await store.live.get(keys.traffic('m1')))?.value ?? '')).toMatchObject({ upMs: 12_000 });
    expect(await found()).toBeUndefined();
  });

  it('hold samples of wanted routes only, within the share of one member', async () => {
    start();
    await watch(['products']);
    await runtime.advance(2000);
    expect(Object.keys((await found()) ?? {})).toEqual(['products']);
    const alone = (await found())?.['products']?.length ?? 0;
    expect(alone).toBeGreaterThan(20);
    expect(alone).toBeLessThan(33);
  });

  it('hold fewer samples the more members there are', async () => {
    start(100);
    await watch(['products']);
    await runtime.advance(2000);
    expect((await found())?.['products']?.length).toBe(5);
  });

  it('end when they are stopped', async () => {
    const reports = start();
    await watch();
    reports.stop();
    await runtime.advance(10_000);
    expect([await store.live.get(keys.traffic('m1')), runtime.pending()]).toEqual([undefined, 0]);
  });
});
