import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Phase } from '../../../src/coordination/records.ts';
import { eventually } from '../../support/eventually.ts';
import { uniqueName } from '../../support/services.ts';
import { useRoute } from './fixture.ts';

type Shard = { routing: { primary: boolean }; seq_no: { max_seq_no: number } };
type Stats = { indices: Record<string, { shards: Record<string, Shard[]> }> };

const phases: { phase: Phase; epoch: number; reign: number }[] = [
  { phase: 'dual', epoch: 1, reign: 1 },
  { phase: 'target', epoch: 2, reign: 2 },
];

describe.each(phases)('by-query writes in $phase', ({ phase, epoch, reign }) => {
  const fixture = useRoute();
  const authority = phase === 'dual' ? 'source' : 'target';
  const follower = phase === 'dual' ? 'target' : 'source';
  const side = uniqueName('side');
  const settle = () => eventually(() => fixture.route.admission.report(fixture.slug)?.inFlight === 0);

  beforeAll(async () => {
    const { bulk, slug, route } = fixture;
    await route.enter(phase, { epoch, reign });
    const lines = Array.from({ length: 40 }, (_, n) => [{ index: { _id: `d${n}`, routing: `r${n % 3}` } }, { n }]);
    expect((await bulk(`/${slug}/_bulk?refresh`, lines.flat())).json).toMatchObject({ errors: false });
    await settle();
  });
  afterAll(() => fixture.route.call(authority, 'DELETE', `/${side}`));

  /** Numbers that the authority has given out so far, in all shards. */
  const numbers = async (): Promise<number> => {
    const { route } = fixture;
    const index = route.state.spec.indices[0]?.[authority] as string;
    const { body } = await route.call(authority, 'GET', `/${index}/_stats?level=shards`);
    const { indices } = JSON.parse(body.toString()) as Stats;
    const shards = Object.values(indices[index]?.shards ?? {}).flat();
    return shards.reduce((sum, { routing, seq_no: seq }) => sum + (routing.primary ? seq.max_seq_no + 1 : 0), 0);
  };
  const told = (): number => fixture.route.left.reduce((sum, { writes }) => sum + writes, 0);
  let numbersBefore = 0;
  let toldBefore = 0;
  beforeEach(async () => {
    numbersBefore = await numbers();
    toldBefore = told();
  });
  const expectAllTold = async (): Promise<void> => {
    await settle();
    expect(told() - toldBefore).toBeGreaterThan(0);
    expect(await numbers()).toBe(numbersBefore + told() - toldBefore);
  };

  it('delete by query deletes on both sides', async () => {
    const { write, slug, route } = fixture;
    const query = { range: { n: { gte: 10, lt: 15 } } };
    const got = await write('POST', `/${slug}/_delete_by_query?refresh`, { query });
    expect(got.json).toMatchObject({ total: 5, deleted: 5, failures: [] });
    await settle();
    const documents = await route.documents(follower);
    expect(documents.size).toBe(35);
    await expectAllTold();
    expect([...documents].sort()).toEqual([...(await route.documents(authority))].sort());
    expect(route.sweeps).toEqual([]);
  });

  it('delete by query as a task deletes on both sides once it has ended', async () => {
    const { write, slug, route } = fixture;
    const got = await write('POST', `/${slug}/_delete_by_query?wait_for_completion=false&q=n:20`);
    expect(got.json).toEqual({ task: expect.stringMatching(/^[\w-]+:\d+$/) });
    await settle();
    expect([...(await route.documents(follower))].sort()).toEqual([...(await route.documents(authority))].sort());
    expect((await route.documents(follower)).has('d20')).toBe(false);
    await expectAllTold();
  });

  it('delete by query that meets version conflicts passes them on', async () => {
    const { write, slug, route } = fixture;
    const doc = `/${slug}/_doc/d30?routing=r0`;
    await route.call(authority, 'POST', `/${route.state.spec.indices[0]?.[authority]}/_refresh`);
    await write('PUT', doc, { n: 30, changed: true });
    const got = await write('POST', `/${slug}/_delete_by_query`, { query: { term: { n: 30 } } });
    expect(got).toMatchObject({ status: 409, json: { version_conflicts: 1, deleted: 0 } });
    expect(got.text).not.toContain('-v2');
    await settle();
  });

  it('update by query changes the authority and leaves the follower to the tail', async () => {
    const { write, slug, route } = fixture;
    const sweeps = route.sweeps.length;
    const script = { source: 'ctx._source.tagged = true' };
    const got = await write('POST', `/${slug}/_update_by_query?refresh&routing=r1`, { script });
    expect((got.json as { updated: number }).updated).toBeGreaterThan(5);
    expect((await route.documents(authority)).get('d1')).toContain('tagged');
    await expectAllTold();
    expect(route.sweeps.length).toBe(sweeps);
  });

  it('reindex into the route goes through its alias', async () => {
    const { write, slug, route } = fixture;
    await route.call(authority, 'PUT', `/${side}/_doc/new?refresh`, { n: 1000 });
    const got = await write('POST', '/_reindex?refresh', { source: { index: side }, dest: { index: slug } });
    if (phase === 'target') return expect(got.headers['x-crossfade-error']).toBe('UNSUPPORTED');
    expect(got.json).toMatchObject({ created: 1, failures: [] });
    expect((await route.documents(authority)).has('new')).toBe(true);
    await expectAllTold();
  });

  it('reindex out of the route reads from the authority, or is refused', async () => {
    const { write, slug } = fixture;
    const got = await write('POST', '/_reindex?refresh', { source: { index: slug }, dest: { index: `${side}` } });
    if (phase === 'target') expect(got.headers['x-crossfade-error']).toBe('UNSUPPORTED');
    else expect((got.json as { total: number }).total).toBeGreaterThan(30);
  });
});
