/** A share of reads that was set before there is anything to read on the target: what clients are answered meanwhile. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { OneAgent, request, send } from '../../support/one-agent.ts';

const one = new OneAgent('waits');
const { slug, source, target } = one;

const read = async (method: string, path: string, body?: unknown) => {
  const { side, status, text } = await send(method, `${one.agent.url}/${slug}/${path}`, body);
  return { side, status, json: JSON.parse(text) as { count?: number; docs?: { found: boolean }[] } };
};
/** What a client is told of ten documents by each kind of read, and by whom. */
const answers = async () => {
  const [got, counted, many] = await Promise.all([
    read('GET', '_doc/7'),
    read('GET', '_count'),
    read('POST', '_mget', { ids: ['1', '2'] }),
  ]);
  expect([got.status, counted.json.count, many.json.docs?.map(({ found }) => found)]).toEqual([200, 10, [true, true]]);
  return [got, counted, many].map(({ side }) => side);
};
const [fromSource, fromTarget] = (['source', 'target'] as const).map((side) => [side, side, side]);
const readsMoved = () =>
  eventually(async () => String(await answers()) === String(fromTarget), { what: 'reads', timeoutMs: 60_000 });

beforeAll(async () => {
  await one.createSource();
  for (let i = 0; i < 10; i++) await request('PUT', `${one.urls.sourceUrl}/${source}/_doc/${i}?refresh=true`, { i });
  await one.start();
  await one.apply();
  await one.must('phase', slug, 'observe', '--wait');
}, 120_000);

afterAll(() => one.close());

describe('reads that were sent to the target before it is filled', () => {
  test('stay at the source until the backfill of this very stay is complete', async () => {
    await one.must('route', 'set', `${slug}.pct.read`, '100');
    for (const _stay of ['first', 'second']) {
      await one.must('route', 'set', `${slug}.rate`, 'pause');
      await one.must('phase', slug, 'dual', '--wait');
      for (let asked = 0; asked < 5; asked++) expect(await answers()).toEqual(fromSource);
      expect(await one.status()).toMatchObject({
        percent: { read: 0 },
        readBarrier: expect.stringContaining('backfill'),
      });
      expect(await (await fetch(`${one.agent.adminUrl}/metrics`)).text()).toContain(
        `crossfade_read_choices_total{route="${slug}",side="source",reason="backfill"}`,
      );
      await one.must('route', 'set', `${slug}.rate`, '1000');
      await readsMoved();
      // The member's line is a second old at most.
      await eventually(async () => (await one.status()).percent.read === 100, { what: 'the status' });
      expect((await one.status()).readBarrier).toBeNull();
      await one.must('phase', slug, 'observe', '--wait', '--yes');
      await request('DELETE', `${one.urls.targetUrl}/${target}`);
    }
  }, 180_000);
});
