import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ShadowSettings } from '../../../src/coordination/route-spec.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { isBalanced, totalSkipped } from '../../../src/proxy/shadow/tally.ts';
import { eventually } from '../../support/eventually.ts';
import { type FakeCluster, misbehaviours, searchAnswer, startFakeCluster } from '../../support/fake-cluster.ts';
import { type ReadStack, startReadStack } from '../../support/read-stack.ts';
import { routeState } from '../../support/routes.ts';

let source: FakeCluster;
let target: FakeCluster;
let stack: ReadStack;
beforeAll(async () => {
  [source, target] = [await startFakeCluster('source'), await startFakeCluster('target')];
});
afterAll(() => Promise.all([source.close(), target.close()]));

const start = async (options: Parameters<typeof startReadStack>[0]['shadow'] = {}) => {
  stack = await startReadStack({
    sourceUrl: source.url,
    targetUrl: target.url,
    shadow: { settleMs: [0, 0], refreshIntervalMs: 0, ...options },
  });
};
beforeEach(async () => {
  for (const cluster of [source, target]) {
    Object.assign(cluster, { behaviour: 'ok', answer: () => undefined });
    cluster.seen.length = 0;
  }
  await start();
  return () => stack.close();
});

const indices = [{ source: 'source_index', target: 'target_index' }];
type Change = {
  shadow?: Partial<ShadowSettings>;
  percent?: { read?: number; shadow?: number };
  phase?: 'dual' | 'target';
};
const set = ({ shadow = {}, percent = { shadow: 100 }, phase = 'dual' }: Change = {}) => {
  const state = routeState({ slug: 'r', phase, indices, aliases: ['r'], percent });
  const spec = RouteSpec.parse({
    route: 'r',
    indices,
    aliases: ['r'],
    shadow: { timeoutMs: 10_000, baselinePercent: 0, ...shadow },
  });
  stack.setStates({ ...state, spec, phase: { ...state.phase, reign: phase === 'target' ? 2 : 1 } });
};
const search = (body: unknown = { query: { match_all: {} } }, headers: Record<string, string> = {}) =>
  stack.send('POST', '/r/_search', { body, headers });
const counts = () => stack.shadow.counts('r');
const settled = (samples: number) =>
  eventually(() => counts().sampled === samples && counts().underWay === 0, { what: `${samples} samples settled` });

describe('the client of a sampled read', () => {
  it.each(['ok', ...misbehaviours] as const)(
    'is answered by the authority as if there were no other side: %s',
    async (behaviour) => {
      set({ shadow: { timeoutMs: 200 } });
      target.behaviour = behaviour;
      target.delayMs = 100;
      const answers = await Promise.all(Array.from({ length: 12 }, () => search()));
      for (const got of answers) expect([got.status, got.json]).toEqual([200, searchAnswer('source')]);
      expect(isBalanced(counts())).toBe(true);
      await settled(12);
      expect(counts().compared + totalSkipped(counts())).toBe(12);
    },
  );

  it('waits for nothing: all answers come while the other side still hangs', async () => {
    set({ shadow: { timeoutMs: 60_000, maxConcurrent: 2 } });
    target.behaviour = 'hang';
    for (let i = 0; i < 10; i++) expect((await search()).status).toBe(200);
    expect(target.open).toBe(2);
    expect(counts()).toMatchObject({ sampled: 10, underWay: 10 });
    await stack.shadow.close();
    expect(counts()).toMatchObject({ skipped: { stopped: 10 }, underWay: 0 });
    expect(isBalanced(counts())).toBe(true);
  });
});

describe('samples that are not compared are counted by their reason', () => {
  it('a full queue', async () => {
    set({ shadow: { maxConcurrent: 1, maxQueued: 2, timeoutMs: 60_000 } });
    target.behaviour = 'hang';
    for (let i = 0; i < 6; i++) await search();
    expect(counts()).toMatchObject({ sampled: 6, skipped: { queue_full: 3 }, underWay: 3 });
  });

  it('a queue whose oldest sample waits so long that the other side cannot be keeping up', async () => {
    await stack.close();
    let nowMs = 0;
    await start({ now: () => nowMs });
    set({ shadow: { maxConcurrent: 1, maxQueued: 100, timeoutMs: 60_000 } });
    target.behaviour = 'hang';
    for (const waitedMs of [0, 0, 500, 1, 0]) {
      nowMs += waitedMs;
      await search();
    }
    expect(counts()).toMatchObject({ sampled: 5, skipped: { queue_full: 2 }, underWay: 3 });
  });

  it('a memory budget that is used up', async () => {
    await stack.close();
    await start({ maxQueuedBytes: 10 });
    set();
    await search();
    expect(counts().skipped).toEqual({ queue_full: 1 });
  });

  it('an answer of the authority that is too large to keep, and it reaches the client whole', async () => {
    set({ shadow: { maxBodyBytes: 1024 } });
    source.behaviour = 'huge';
    const got = await search();
    expect(got.text.length).toBeGreaterThan(12 * 1024 * 1024);
    await settled(1);
    expect(counts().skipped).toEqual({ too_large: 1 });
    expect(target.seen).toHaveLength(0);
  });

  it('a request that takes long to be understood, and it reaches the client answered', async () => {
    set();
    expect((await search({ query: { terms: { id: Array.from({ length: 50_000 }, String) } } })).status).toBe(200);
    await settled(1);
    expect(counts().skipped).toEqual({ too_large: 1 });
    expect(target.seen).toHaveLength(0);
  });

  it('an answer of the other side that is too large', async () => {
    set({ shadow: { maxBodyBytes: 4096 } });
    target.behaviour = 'huge';
    await search();
    await settled(1);
    expect(counts().skipped).toEqual({ too_large: 1 });
  });

  it('a breaker that opened after the other side had failed again and again', async () => {
    set();
    target.behaviour = 'error';
    for (let i = 0; i < 10; i++) {
      await search();
      await settled(i + 1);
    }
    expect(counts()).toMatchObject({ compared: 5, mismatched: 5, skipped: { breaker_open: 5 } });
    expect(target.seen).toHaveLength(5);
  });

  it('a breaker, which still asks a side that fails for long every five seconds', async () => {
    let nowMs = 0;
    await stack.close();
    await start({ now: () => nowMs });
    set();
    target.behaviour = 'error';
    const probed = async (): Promise<number> => {
      const { compared } = counts();
      await search();
      await settled(counts().sampled);
      return counts().compared - compared;
    };
    for (let i = 0; i < 10; i++) {
      await probed();
      nowMs += 60_000;
    }
    nowMs += 1;
    expect(await probed()).toBe(1);
    nowMs += 4_999;
    expect(await probed()).toBe(0);
    nowMs += 1;
    expect(await probed()).toBe(1);
  });

  it('an authority that failed', async () => {
    set();
    source.behaviour = 'error';
    expect((await search()).status).toBe(500);
    await settled(1);
    expect(counts().skipped).toEqual({ authority_failed: 1 });
  });

  it('a client that got no answer', async () => {
    set();
    source.behaviour = 'reset';
    expect((await search()).status).toBe(502);
    await settled(1);
    expect(counts().skipped).toEqual({ client_failed: 1 });
  });

  it.each<[string, unknown, string]>([
    ['random scores', { query: { function_score: { random_score: {} } } }, 'random'],
    ['an early end', { terminate_after: 10 }, 'terminate_after'],
    ['a time limit', { timeout: '1s' }, 'timeout'],
    ['a clock that cannot be frozen', { query: { query_string: { query: 'at:[now-1d TO now]' } } }, 'now'],
  ])('%s', async (_title, body, reason) => {
    set();
    await search(body);
    await settled(1);
    expect(counts().skipped).toEqual({ [reason]: 1 });
    expect(target.seen).toHaveLength(0);
  });

  it('an API that has nothing to compare', async () => {
    set();
    source.answer = () => ({ body: { pit_id: 'abc' } });
    await stack.send('POST', '/r/_search/point_in_time?keep_alive=1m');
    expect(counts().skipped).toEqual({ not_comparable: 1 });
  });
});

describe('what the other side is asked', () => {
  it("is the same read in its own words, marked, and without the client's credentials", async () => {
    set();
    const body = { query: { terms: { u: { index: 'source_index', id: '1', path: 'f' } } } };
    await search(body, { authorization: 'Basic dTpw', 'x-opaque-id': 'mine' });
    await settled(1);
    const [asked] = target.seen;
    expect([asked?.path, asked?.body]).toEqual([
      '/target_index/_search',
      JSON.stringify(body).replace('source_index', 'target_index'),
    ]);
    expect(asked?.headers).toMatchObject({ 'x-opaque-id': 'crossfade-shadow', 'x-crossfade-shadow': '1' });
    expect(asked?.headers.authorization).toBeUndefined();
  });

  it('is never asked for what came from a shadow runner', async () => {
    set();
    await search(undefined, { 'x-crossfade-shadow': '1' });
    expect(counts().sampled).toBe(0);
  });

  it('is the authority when the follower served the client, and the follower after a switch', async () => {
    set({ percent: { read: 100, shadow: 100 } });
    expect((await search()).headers['x-crossfade-side']).toBe('target');
    await settled(1);
    expect([source.seen.length, target.seen.length]).toEqual([1, 1]);
    set({ phase: 'target', percent: { shadow: 100 } });
    expect((await search()).headers['x-crossfade-side']).toBe('target');
    await settled(2);
    expect(source.seen).toHaveLength(2);
    expect(counts()).toMatchObject({ compared: 2, mismatched: 0 });
  });

  it("sees the moment of the client's read instead of its own now", async () => {
    set();
    await search({ query: { range: { at: { gte: 'now-1h' } } } });
    await settled(1);
    expect(target.seen[0]?.body).toMatch(/"gte":"\d{4}-\d\d-\d\dT[^"]+\|\|-1h"/);
    expect(source.seen[0]?.body).toContain('"now-1h"');
  });
});

describe('a difference', () => {
  const differing = () => ({
    body: { ...searchAnswer('target'), hits: { total: { value: 0, relation: 'eq' }, max_score: null, hits: [] } },
  });
  const refreshes = (cluster: FakeCluster) => cluster.seen.filter(({ path }) => path.endsWith('_refresh')).length;
  const searches = (cluster: FakeCluster) => cluster.seen.filter(({ path }) => path.includes('_search'));

  it('that persists over refreshes counts, with both sides asked alike', async () => {
    set();
    target.answer = ({ path }) => (path.endsWith('_refresh') ? undefined : differing());
    await search();
    await settled(1);
    expect(counts()).toMatchObject({ compared: 1, mismatched: 1 });
    expect(stack.reports[0]).toMatchObject({ slug: 'r', family: 'search', settled: false, baseline: undefined });
    expect([refreshes(source), refreshes(target)]).toEqual([2, 2]);
    const later = [...searches(source).slice(1), ...searches(target).slice(1)].map(({ path }) =>
      new URLSearchParams(path.split('?')[1]).get('preference'),
    );
    expect(new Set(later).size).toBe(1);
    expect(later[0]).toMatch(/^crossfade-/);
  });

  it('that is gone after a refresh does not count', async () => {
    set();
    let refreshed = false;
    target.answer = ({ path }) => {
      refreshed ||= path.endsWith('_refresh');
      return refreshed ? undefined : differing();
    };
    await search();
    await settled(1);
    expect(counts()).toMatchObject({ compared: 1, mismatched: 0 });
    expect(stack.reports[0]?.settled).toBe(true);
  });

  it('of an authority that differs from itself says nothing', async () => {
    set();
    let n = 0;
    const changing = () => ({
      body: { ...searchAnswer('source'), hits: { total: { value: ++n * 7, relation: 'eq' }, max_score: 1, hits: [] } },
    });
    source.answer = ({ path }) => (path.endsWith('_refresh') ? undefined : changing());
    await search();
    await settled(1);
    expect(counts()).toMatchObject({ compared: 0, skipped: { unstable: 1 } });
  });

  it('counts at once when the route does not want it asked again', async () => {
    set({ shadow: { recheck: false } });
    target.answer = differing;
    await search();
    await settled(1);
    expect([counts().mismatched, refreshes(target)]).toEqual([1, 0]);
  });

  it('is held against what the authority differs from itself', async () => {
    set({ shadow: { baselinePercent: 100, recheck: false } });
    target.answer = differing;
    await search();
    await settled(1);
    expect(searches(source)).toHaveLength(2);
    expect(stack.reports[0]?.observation.severity).not.toBe('none');
    expect(stack.reports[0]?.baseline?.severity).toBe('none');
  });
});

it('a read is sampled when its draw falls below the percentage', async () => {
  let draw = 0;
  await stack.close();
  await start({ random: () => draw });
  set({ percent: { shadow: 30 } });
  for (draw of [0.29999, 0.3, 0.9]) await search();
  expect(counts().sampled).toBe(1);
});
