/** What a client wrote and refreshed while all reads were at home, on a real agent and a target that never refreshes itself. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { OneAgent, request, send } from '../../support/one-agent.ts';
import { eventually } from '../../support/eventually.ts';

const one = new OneAgent('refreshed');

beforeAll(async () => {
  await one.createSource();
  await one.start();
  await one.apply({ targetSettings: { refresh_interval: '-1' } });
  await one.must('phase', one.slug, 'observe');
  await one.must('phase', one.slug, 'dual');
  await one.untilReady();
}, 120_000);
afterAll(() => one.close());

it('a document that a client refreshed is found by the first search that the target answers', async () => {
  await request('PUT', `${one.agent.url}/${one.slug}/_doc/1?refresh=true`, { n: 1 });
  await one.must('route', 'set', `${one.slug}.pct.read`, '100');
  const counts = new Set<unknown>();
  const isOnTarget = async (): Promise<boolean> => {
    const { side, text } = await send('POST', `${one.agent.url}/${one.slug}/_search`, { query: { match_all: {} } });
    counts.add(JSON.parse(text).hits.total.value);
    return side === 'target';
  };
  await eventually(isOnTarget, { what: 'a search answered by the target', timeoutMs: 30_000 });
  expect([...counts]).toEqual([1]);
}, 60_000);
