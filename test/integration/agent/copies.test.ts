import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sendOnce } from '../../../src/agent/bulk-send.ts';
import { sendAll } from '../../../src/agent/send-all.ts';
import { createCopier } from '../../../src/agent/copier.ts';
import type { StampedWrite } from '../../../src/agent/copy-bulk.ts';
import { copyAliasOf } from '../../../src/agent/direction.ts';
import { systemRuntime } from '../../../src/agent/runtime.ts';
import { createTransforms } from '../../../src/agent/transform.ts';
import type { Copy } from '../../../src/coordination/ports.ts';
import { packStamp } from '../../../src/coordination/stamp.ts';
import { uniqueName } from '../../support/services.ts';
import { fence, type RealRoute, realRoute, unfence } from './setup.ts';

const copierOf = ({ clusters }: RealRoute) =>
  createCopier({ clusters, runtime: systemRuntime, transforms: createTransforms() });
const copyOf = ({ state }: RealRoute, id: string, seq: number, source?: string, routing?: string): Copy => {
  const head = {
    slug: state.slug,
    ordinal: 0,
    id,
    routing,
    epoch: 1,
    reign: 1,
    stamp: packStamp('wide', { reign: 1, term: 1, seq }),
  };
  return source === undefined ? { ...head, op: 'delete' } : { ...head, op: 'index', source: Buffer.from(source) };
};
const write = (route: RealRoute, id: string, stamp: bigint, source?: string): StampedWrite => {
  const head = { alias: copyAliasOf({ slug: route.state.slug, epoch: 1 }, 0), id, routing: undefined, stamp };
  return source === undefined ? { ...head, op: 'delete' } : { ...head, op: 'index', source: Buffer.from(source) };
};

describe('copies on a real follower', () => {
  it('arrive byte for byte, with their routing and their 63-bit stamp', async () => {
    const route = await realRoute({ target: { mappings: { dynamic: false } } });
    const copier = copierOf(route);
    const source = '{ "price":1.0,"big":12345678901234567890, "e":1E5,"text":"a\\u00e9 é 💡 \\"}" }';
    const ids = ['plain', 'wïth ünicode 💡', 'a/b?c#d%20', '"quoted"\\'];
    const offers = ids.map((id, i) =>
      copier.offer(copyOf(route, id, i, source, i % 2 ? 'r/1 é' : undefined), route.state),
    );
    expect(await Promise.all(offers)).toEqual(ids.map(() => 'applied'));
    const held = await route.contents('target');
    expect(Object.keys(held).sort()).toEqual(ids.map((id, i) => (i % 2 ? `${id} @r/1 é` : id)).sort());
    expect(new Set(Object.values(held))).toEqual(new Set([source]));
    const [got] = await route.clusters.target.mget({
      index: route.names.target,
      docs: [{ id: 'plain', routing: undefined }],
      source: false,
    });
    expect(got).toMatchObject({ doc: { version: packStamp('wide', { reign: 1, term: 1, seq: 0 }) } });
    expect(copier.report(route.state.slug)).toMatchObject({ ledger: [4], pendingCopies: 0, quarantined: 0 });
  });

  it('end in the state of the highest stamp, whatever the order and however often they are sent', async () => {
    const route = await realRoute();
    const cluster = route.clusters.target;
    // Every write once, some twice, all shuffled.
    const events = fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }).chain((kinds) => {
      const order = [...kinds.keys()];
      const twice = fc.subarray(order);
      const sent = twice.chain((again) => {
        const all = [...order, ...again];
        return fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length });
      });
      return fc.record({ kinds: fc.constant(kinds), sent });
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(events, async ({ kinds, sent }) => {
        const id = `doc-${++run}`;
        const writes = kinds.map((isDelete, i) =>
          write(route, id, BigInt(100 + i), isDelete ? undefined : `{"n":${i}}`),
        );
        for (const i of sent) await sendOnce([writes[i] as StampedWrite], { cluster });
        const [got] = await cluster.mget({
          index: route.names.target,
          docs: [{ id, routing: undefined }],
          source: true,
        });
        const last = kinds.length - 1;
        if (kinds[last]) expect(got).toEqual({ kind: 'absent' });
        else
          expect(got).toMatchObject({
            kind: 'found',
            doc: { version: BigInt(100 + last), source: Buffer.from(`{"n":${last}}`) },
          });
      }),
      { numRuns: 25 },
    );
  });

  it('of several documents in one bulk end in the state of their highest stamps in any order', async () => {
    const route = await realRoute();
    const history = fc.array(fc.record({ id: fc.nat(3), remove: fc.boolean() }), { minLength: 1, maxLength: 30 });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(history, fc.infiniteStream(fc.nat()), async (events, draws) => {
        const prefix = `bulk-${++run}`;
        const writes = events.map(({ id, remove }, i) =>
          write(route, `${prefix}-${id}`, BigInt(i + 1), remove ? undefined : `{"i":${i}}`),
        );
        const shuffled = writes
          .map((one) => ({ one, key: draws.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ one }) => one);
        const { end } = await sendAll(shuffled, { cluster: route.clusters.target, runtime: systemRuntime });
        expect(end).toBe('done');
        const docs = [0, 1, 2, 3].map((id) => ({ id: `${prefix}-${id}`, routing: undefined }));
        const got = await route.clusters.target.mget({ index: route.names.target, docs, source: true });
        for (const [i, doc] of got.entries()) {
          const last = writes.findLast((one) => one.id === docs[i]?.id);
          expect(doc.kind === 'found' ? Buffer.from(doc.doc.source as Uint8Array).toString() : undefined).toBe(
            last?.op === 'index' ? Buffer.from(last.source).toString() : undefined,
          );
        }
      }),
      { numRuns: 15 },
    );
  });

  it('never create an index: neither documents nor deletes, alone or together', async () => {
    const route = await realRoute();
    const alias = uniqueName('crossfade-nowhere');
    const lost = (one: StampedWrite): StampedWrite => ({ ...one, alias });
    const [put, remove] = [lost(write(route, 'a', 5n, '{}')), lost(write(route, 'b', 5n))];
    for (const writes of [[remove], [put], [remove, put], [remove, write(route, 'c', 5n, '{}')]]) {
      const [fate] = await sendOnce(writes, { cluster: route.clusters.target });
      expect(fate).toMatchObject({ kind: 'retry', cause: 'blocked' });
    }
    expect(await route.clusters.target.getIndex(alias)).toBeUndefined();
    expect(Object.keys(await route.contents('target'))).toEqual(['c']);
  });

  it('that the mapping refuses are quarantined alone, and a later copy that fits is taken', async () => {
    const route = await realRoute({ target: { mappings: { properties: { n: { type: 'long' } } } } });
    const copier = copierOf(route);
    const offers = [copyOf(route, 'bad', 1, '{"n":"text"}'), copyOf(route, 'good', 2, '{"n":1}')].map((copy) =>
      copier.offer(copy, route.state),
    );
    expect(await Promise.all(offers)).toEqual(['quarantined', 'applied']);
    expect(await copier.offer(copyOf(route, 'bad', 3, '{"n":2}'), route.state)).toBe('applied');
    expect(copier.report(route.state.slug)).toMatchObject({ quarantined: 1, ledger: [2] });
  });

  it('wait while the follower is write-blocked, without harm to anyone, and go on when it opens', async () => {
    const route = await realRoute();
    const copier = copierOf(route);
    await route.call('target', 'PUT', `/${route.names.target}/_settings`, '{"index.blocks.write":true}');
    const offer = copier.offer(copyOf(route, 'a', 1, '{}'), route.state);
    expect(await copier.drain(route.state.slug, 300)).toBe(false);
    expect(copier.problems(route.state.slug)[0]).toMatch(/^target: 403 cluster_block_exception/);
    await route.call('target', 'PUT', `/${route.names.target}/_settings`, '{"index.blocks.write":false}');
    expect(await offer).toBe('applied');
    expect(copier.problems(route.state.slug)).toEqual([]);
  });

  it('are told by the fence that their epoch is over', async () => {
    const route = await realRoute();
    const copier = copierOf(route);
    await fence(route);
    expect(await copier.offer(copyOf(route, 'a', 1, '{}'), route.state)).toBe('fenced');
    expect(await copier.offer(copyOf(route, 'b', 2), route.state)).toBe('fenced');
    expect(copier.report(route.state.slug)).toMatchObject({ sweepNeeded: 1, ledger: [0] });
    await unfence(route);
  });

  it('carry a line break inside a document as a blank, for one line of a bulk is one document', async () => {
    const route = await realRoute();
    await route.call('source', 'PUT', `/${route.names.source}/_doc/a`, '{\n  "n": 1.0,\r\n  "t": "x\\ny"\n}');
    expect(await route.tailAll()).toMatchObject({ kind: 'ok', docs: 1, applied: 1 });
    expect(await route.contents('target')).toEqual({ a: '{   "n": 1.0,    "t": "x\\ny" }' });
  });
});
