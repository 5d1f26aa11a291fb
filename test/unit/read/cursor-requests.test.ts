import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { wrapCursor } from '../../../src/proxy/read/cursor-token.ts';
import { createCursorMac } from '../../../src/proxy/read/index.ts';
import { type FakeCluster, type Seen, startFakeCluster } from '../../support/fake-cluster.ts';
import { type ReadStack, startReadStack } from '../../support/read-stack.ts';
import { routeState } from '../../support/routes.ts';

let source: FakeCluster;
let target: FakeCluster;
let stack: ReadStack;
const secret = 'secret of all replicas';
const mac = createCursorMac(() => secret);
const onTarget = (id: string) => wrapCursor(id, { side: 'target', reign: 2 }, mac);

beforeAll(async () => {
  [source, target] = [await startFakeCluster('source'), await startFakeCluster('target')];
});
afterAll(() => Promise.all([source.close(), target.close()]));
beforeEach(async () => {
  for (const cluster of [source, target]) {
    Object.assign(cluster, { behaviour: 'ok' });
    cluster.seen.length = 0;
  }
  stack = await startReadStack({ sourceUrl: source.url, targetUrl: target.url, deps: { cursorSecret: () => secret } });
  set('target');
});
afterEach(() => stack.close());

const set = (phase: 'dual' | 'target', read = 0) => {
  const state = routeState({
    slug: 'r',
    phase,
    percent: { read },
    indices: [{ source: 'source_index', target: 'target_index' }],
    aliases: ['r'],
  });
  stack.setStates({ ...state, phase: { ...state.phase, reign: phase === 'target' ? 2 : 1 } });
};
const asked = ({ seen }: FakeCluster) =>
  seen.map(({ method, path, body }: Seen) => [method, path, body].filter(Boolean).join(' '));

describe('clearing everything', () => {
  it('clears the scrolls of both sides', async () => {
    source.answer = () => ({ body: { succeeded: true, num_freed: 2 } });
    target.answer = () => ({ status: 404, body: { succeeded: true, num_freed: 0 } });
    const got = await stack.send('DELETE', '/_search/scroll/_all');
    expect([got.status, got.json]).toEqual([200, { succeeded: true, num_freed: 2 }]);
    expect([asked(source), asked(target)]).toEqual([['DELETE /_search/scroll/_all'], ['DELETE /_search/scroll/_all']]);
  });

  it('says so when one side could not be asked', async () => {
    source.answer = () => ({ body: { succeeded: true, num_freed: 2 } });
    target.behaviour = 'reset';
    const got = await stack.send('DELETE', '/_search/scroll', { body: { scroll_id: '_all' } });
    expect([got.status, got.json]).toEqual([200, { succeeded: false, num_freed: 2 }]);
  });

  it('lists the points in time of both sides, each with its side', async () => {
    source.answer = () => ({ body: { pits: [{ successful: true, pit_id: 'S' }] } });
    target.answer = () => ({ body: { pits: [{ successful: true, pit_id: 'T' }] } });
    const { json } = await stack.send('DELETE', '/_search/point_in_time/_all');
    expect(json.pits.map((pit: { pit_id: string }) => pit.pit_id)).toEqual([
      'S',
      wrapCursor('T', { side: 'target', reign: 0 }, mac),
    ]);
  });

  it('needs nothing of a target that is a follower and serves no reads', async () => {
    set('dual');
    source.answer = () => ({ body: { succeeded: true, num_freed: 2 } });
    const got = await stack.send('DELETE', '/_search/scroll/_all');
    expect([got.json, target.seen]).toEqual([{ succeeded: true, num_freed: 2 }, []]);
  });

  it.each(['hang', 'reset', 'error'] as const)(
    'is not held up or spoilt by a follower that serves reads: %s',
    async (how) => {
      await stack.close();
      stack = await startReadStack({ sourceUrl: source.url, targetUrl: target.url, deps: { hedgeMs: 50 } });
      set('dual', 100);
      source.answer = () => ({ body: { succeeded: true, num_freed: 2 } });
      target.behaviour = how;
      const got = await stack.send('DELETE', '/_search/scroll/_all');
      expect([got.status, got.json, target.seen.length]).toEqual([200, { succeeded: true, num_freed: 2 }, 1]);
    },
  );

  it('reaches a follower that served reads lately, which may still have cursors', async () => {
    set('dual', 100);
    target.answer = () => undefined;
    await stack.send('GET', '/r/_search');
    set('dual', 0);
    target.seen.length = 0;
    await stack.send('DELETE', '/_search/scroll/_all');
    expect(asked(target)).toEqual(['DELETE /_search/scroll/_all']);
  });

  it('is a success also where the client wants to see a part of the answer only', async () => {
    source.answer = () => ({ body: { succeeded: true, num_freed: 2 } });
    target.answer = () => ({ status: 404, body: { succeeded: true, num_freed: 0 } });
    const got = await stack.send('DELETE', '/_search/scroll/_all?filter_path=succeeded');
    expect([got.status, got.json]).toEqual([200, { succeeded: true }]);
    expect(asked(source)).toEqual(['DELETE /_search/scroll/_all']);
  });

  it('asks once when both sides are one cluster', async () => {
    await stack.close();
    stack = await startReadStack({ sourceUrl: source.url, targetUrl: source.url, deps: { sameCluster: true } });
    set('target');
    source.answer = () => ({ body: { succeeded: true, num_freed: 1 } });
    await stack.send('DELETE', '/_search/scroll/_all');
    expect(source.seen).toHaveLength(1);
  });
});

describe('a task', () => {
  const missing = { status: 404, body: { error: { type: 'resource_not_found_exception' }, status: 404 } };

  it('is found on the side its id names', async () => {
    target.answer = () => ({ body: { completed: true } });
    await stack.send('GET', `/_tasks/${onTarget('n:7')}`);
    expect([asked(source), asked(target)]).toEqual([[], ['GET /_tasks/n%3A7']]);
  });

  it('without a side is looked for on the source and then on the target', async () => {
    source.answer = () => missing;
    target.answer = () => ({ body: { completed: true } });
    expect((await stack.send('GET', '/_tasks/n:7')).json).toEqual({ completed: true });
    source.answer = () => ({ body: { completed: false } });
    expect((await stack.send('GET', '/_tasks/n:8')).json).toEqual({ completed: false });
    expect(target.seen).toHaveLength(1);
  });

  it('that the source cannot slow down is slowed down on the target', async () => {
    source.answer = () => ({ body: { node_failures: [{}], nodes: {} } });
    target.answer = () => ({ body: { nodes: { n: {} } } });
    const got = await stack.send('POST', '/_reindex/n:7/_rethrottle?requests_per_second=5');
    expect(got.json).toEqual({ nodes: { n: {} } });
  });

  it('is asked of the source alone while nothing has moved', async () => {
    set('dual');
    source.answer = () => missing;
    expect((await stack.send('GET', '/_tasks/n:7')).status).toBe(404);
    expect(target.seen).toHaveLength(0);
  });
});

describe('a scroll page', () => {
  it('is asked for once, even when the connection breaks', async () => {
    target.behaviour = 'reset';
    const got = await stack.send('POST', '/_search/scroll', { body: { scroll_id: onTarget('T') } });
    expect([got.status, target.seen.length]).toEqual([502, 1]);
  });

  it('goes to the source untouched when its id has no side', async () => {
    const body = '{ "scroll" : "1m", "scroll_id":"S" }';
    await stack.send('POST', '/_search/scroll', { body });
    expect(asked(source)).toEqual([`POST /_search/scroll ${body}`]);
  });
});
