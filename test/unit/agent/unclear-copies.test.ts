import { describe, expect, it } from 'vitest';
import { sendAll } from '../../../src/agent/send-all.ts';
import type { ClusterControl } from '../../../src/agent/cluster.ts';
import type { StampedWrite } from '../../../src/agent/copy-bulk.ts';
import { createUnclearCopies } from '../../../src/agent/unclear-copies.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { controls, fakePair, routeState } from './route.ts';

type Bulk = ClusterControl['bulk'];
const clusterWith = (bulk: Bulk): ClusterControl => ({ ...controls(fakePair(routeState())).target, bulk });
const call = { path: '/_bulk?', body: Buffer.from(''), aliases: ['crossfade-p-c1', 'crossfade-p-c1-1'] };
const write: StampedWrite = { alias: 'crossfade-p-c1', id: '1', routing: undefined, stamp: 1n, op: 'delete' };
const answer = (status: number): Awaited<ReturnType<Bulk>> => ({ status, headers: {}, body: Buffer.from('{}') });

describe('requests with copies whose answer never came', () => {
  const ends: [string, Bulk, number][] = [
    ['an answer', async () => answer(200), 0],
    ['an overload', async () => answer(429), 0],
    ['a gateway that gave up waiting', async () => answer(504), 2],
    ['a failure inside the cluster', async () => answer(500), 2],
    ['a broken connection', () => Promise.reject(new CrossfadeError('UPSTREAM_RESET')), 2],
    ['a time-out', () => Promise.reject(new CrossfadeError('UPSTREAM_TIMEOUT')), 2],
    ['no connection at all', () => Promise.reject(new CrossfadeError('UPSTREAM_UNREACHABLE')), 0],
  ];
  it.each(ends)('are counted rightly after %s', async (_end, bulk, count) => {
    const unclear = createUnclearCopies();
    const cluster = unclear.watch(clusterWith(bulk));
    await cluster.bulk(call).catch(() => undefined);
    expect(unclear.count('p')).toBe(count);
  });

  it('are counted for the route whose alias they went through, also behind a limit', async () => {
    const unclear = createUnclearCopies();
    const lost: Bulk = () => Promise.reject(new CrossfadeError('UPSTREAM_RESET'));
    const cluster = clusterWith(lost);
    const limited = unclear.watch({ ...cluster, within: () => cluster }).within({ timeoutMs: () => 1 });
    await limited.bulk({ ...call, aliases: ['crossfade-p-c5-c7-1'] }).catch(() => undefined);
    expect([unclear.count('p-c5'), unclear.count('p')]).toEqual([1, 0]);
  });
});

describe('sending that is told to stop', () => {
  const slow = (): { bulk: Bulk; cut: () => boolean; finish: () => void } => {
    let isCut = false;
    let finish = (): void => undefined;
    const bulk: Bulk = ({ signal }) =>
      new Promise((resolve, reject) => {
        finish = () => resolve(answer(429));
        signal?.addEventListener('abort', () => {
          isCut = true;
          reject(new CrossfadeError('CLIENT_CLOSED'));
        });
      });
    return { bulk, cut: () => isCut, finish: () => finish() };
  };
  it('lets the request under way end, so that it cannot arrive late', async () => {
    const { bulk, cut, finish } = slow();
    const runtime = manualRuntime();
    const stop = new AbortController();
    const sending = sendAll([write], { cluster: clusterWith(bulk), runtime, signal: stop.signal, patienceMs: 1000 });
    stop.abort();
    finish();
    expect(await sending).toMatchObject({ end: 'stopped' });
    expect([cut(), runtime.pending()]).toEqual([false, 0]);
  });

  it('cuts it off when it takes longer', async () => {
    const { bulk, cut } = slow();
    const runtime = manualRuntime();
    const stop = new AbortController();
    const sending = sendAll([write], { cluster: clusterWith(bulk), runtime, signal: stop.signal, patienceMs: 1000 });
    stop.abort();
    await runtime.advance(1000);
    expect(await sending).toMatchObject({ end: 'stopped' });
    expect(cut()).toBe(true);
  });
});
