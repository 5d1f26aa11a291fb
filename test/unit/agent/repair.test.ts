import { describe, expect, it } from 'vitest';
import { stampOf } from '../../../src/agent/direction.ts';
import { takePosition } from '../../../src/agent/positions.ts';
import { createQuarantine } from '../../../src/agent/quarantine.ts';
import { type RepairIo, repairIds } from '../../../src/agent/repair.ts';
import { createRouteRepair, retryQuarantined } from '../../../src/agent/route-repair.ts';
import { beginTail, tailStep } from '../../../src/agent/tail.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { packStamp } from '../../../src/coordination/stamp.ts';
import type { Doc } from '../../sim/storage.ts';
import { type Engine, engine } from './engine.ts';
import { noTransforms } from './route.ts';

const repairIo = async (made: Engine, over: Partial<RepairIo> = {}): Promise<RepairIo> => {
  const { clusters, runtime } = made.io;
  const taken = await takePosition('p1', 'checkpoint', { cluster: clusters.source, runtime });
  if (taken.kind !== 'ok') throw new Error(taken.detail);
  return { clusters, runtime, direction: made.direction, transform: undefined, pins: [taken.position], ...over };
};
const doc = (id: string, routing?: string) => ({ ordinal: 0, id, routing });
const tailAll = async ({ io }: Engine) => {
  const begun = await beginTail('start', io);
  if (begun.kind === 'ok') await tailStep(begun.state, io);
};
const overwrite = (made: Engine, id: string, version?: bigint) =>
  made.pair.target.storage.write({
    op: 'index',
    index: 'p2',
    id,
    source: '{"foreign":true}',
    external: version !== undefined,
    version,
  });
const kinds = (repaired: Awaited<ReturnType<typeof repairIds>>) => repaired.map(({ outcome }) => outcome.kind);

describe('repairing given documents', () => {
  it('copies what is there, deletes what is not, and keeps what agrees', async () => {
    const made = engine();
    made.put('same', { n: 1 });
    await tailAll(made);
    made.put('new', '{"n":1.0}');
    made.put('gone', {});
    await tailAll(made);
    made.remove('gone');
    made.pair.target.storage.write({ op: 'delete', index: 'p2', id: 'new', external: false });
    made.pair.target.storage.loseTombstones('p2');
    const repaired = await repairIds(
      ['same', 'new', 'gone', 'never'].map((id) => doc(id)),
      await repairIo(made),
    );
    expect(kinds(repaired)).toEqual(['kept', 'copied', 'deleted', 'kept']);
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it('reads the follower first: a document recreated and copied meanwhile is not deleted', async () => {
    const made = engine();
    made.put('a', { n: 1 });
    await tailAll(made);
    made.remove('a');
    const io = await repairIo(made);
    const { mget } = io.clusters.source;
    const source = {
      ...io.clusters.source,
      mget: async (get: Parameters<typeof mget>[0]) => {
        const got = await mget(get);
        made.put('a', { n: 2 });
        await tailAll(made);
        return got;
      },
    };
    await repairIds([doc('a')], { ...io, clusters: { ...io.clusters, source } });
    expect(made.contents('target')).toEqual({ a: '{"n":2}' });
  });

  it('deletes nothing when the authority was recreated', async () => {
    const made = engine();
    made.put('a', {});
    await tailAll(made);
    const io = await repairIo(made);
    made.pair.source.storage.deleteIndex('p1');
    made.pair.source.storage.createIndex('p1');
    expect(kinds(await repairIds([doc('a')], io))).toEqual(['failed']);
    expect(Object.keys(made.contents('target'))).toEqual(['a']);
  });

  it('says when the follower remembers a later delete and the copy is not taken', async () => {
    const made = engine();
    made.put('a', {});
    made.pair.target.storage.write({ op: 'delete', index: 'p2', id: 'a', external: true, version: 2n ** 51n });
    expect(kinds(await repairIds([doc('a')], await repairIo(made)))).toEqual(['failed']);
  });

  it('brings back what somebody deleted on the follower itself, as soon as no later write can be barred', async () => {
    const made = engine();
    made.put('a', { n: 1 });
    await tailAll(made);
    made.pair.target.storage.write({ op: 'delete', index: 'p2', id: 'a', external: false });
    expect(await repairIds([doc('a')], await repairIo(made))).toMatchObject([
      { outcome: { kind: 'failed', reason: expect.stringContaining('remembers a later delete') } },
    ]);
    for (let i = 0; i < 20; i++) made.put(`later${i}`, {});
    expect(kinds(await repairIds([doc('a')], await repairIo(made)))).toEqual(['copied']);
    expect(made.contents('target')['a']).toBe('{"n":1}');
    made.put('a', { n: 2 });
    await tailAll(made);
    expect(made.contents('target')['a']).toBe('{"n":2}');
  });

  it('brings nothing back that the authority deletes between the first look and the second', async () => {
    const made = engine();
    made.put('a', { n: 1 });
    for (let i = 0; i < 20; i++) made.put(`later${i}`, {});
    await tailAll(made);
    made.pair.target.storage.write({ op: 'delete', index: 'p2', id: 'a', external: false });
    const io = await repairIo(made);
    const { bulk } = io.clusters.target;
    const target = {
      ...io.clusters.target,
      bulk: async (call: Parameters<typeof bulk>[0]) => {
        const answer = await bulk(call);
        made.remove('a');
        return answer;
      },
    };
    expect(kinds(await repairIds([doc('a')], { ...io, clusters: { ...io.clusters, target } }))).toEqual(['kept']);
    expect(made.contents('target')['a']).toBeUndefined();
  });

  it('overwrites a follower that is ahead only when forced, and only where no later write can be barred', async () => {
    const made = engine();
    made.put('a', { n: 1 });
    await tailAll(made);
    overwrite(made, 'a');
    expect(kinds(await repairIds([doc('a')], await repairIo(made)))).toEqual(['foreign']);
    expect(kinds(await repairIds([doc('a')], await repairIo(made, { overwrite: 'any' })))).toEqual(['failed']);
    for (let i = 0; i < 20; i++) made.put(`later${i}`, {});
    expect(kinds(await repairIds([doc('a')], await repairIo(made, { overwrite: 'any' })))).toEqual(['copied']);
    expect(made.contents('target')['a']).toBe('{"n":1}');
    made.put('a', { n: 2 });
    await tailAll(made);
    expect(made.contents('target')['a']).toBe('{"n":2}');
  });

  it.each([
    ['another content', undefined, '{"n":1}'],
    ['what the transform leaves out today', () => null, undefined],
  ])(
    'overwrites a copy of the same stamp with %s when forced, also of the last write',
    async (_what, transform, left) => {
      const made = engine();
      made.put('a', { n: 1 });
      const { seq, term } = made.pair.source.storage.contents('p1').get('a') as Doc;
      const version = stampOf(made.direction, { seqNo: seq, primaryTerm: term });
      made.pair.target.storage.write({ op: 'index', index: 'p2', id: 'a', source: '{"n":0}', external: true, version });
      expect(kinds(await repairIds([doc('a')], await repairIo(made)))).toEqual(['kept']);
      const io = { ...(await repairIo(made, { overwrite: 'any' })), transform };
      expect(kinds(await repairIds([doc('a')], io))).toEqual([left === undefined ? 'deleted' : 'copied']);
      expect(made.contents('target')['a']).toBe(left);
    },
  );

  it('takes a shard that cannot answer for a failure', async () => {
    const made = engine();
    made.put('a', {});
    const io = await repairIo(made);
    const target = { ...io.clusters.target, mget: async () => [{ kind: 'unknown' as const, reason: 'no shard' }] };
    expect(await repairIds([doc('a')], { ...io, clusters: { ...io.clusters, target } })).toMatchObject([
      { outcome: { kind: 'failed', reason: 'no shard' } },
    ]);
  });
});

describe('trying a quarantine again', () => {
  it('keeps what is still refused, with the new reason, and drops the rest', async () => {
    const made = engine();
    for (const id of ['fixed', 'bad']) made.put(id, {});
    const { storage } = made.pair.target;
    const { write } = storage;
    storage.write = (op) =>
      op.id === 'bad'
        ? { status: 400, index: 'p2', error: { type: 'mapper_parsing_exception', reason: 'still' } }
        : write.call(storage, op);
    const quarantine = createQuarantine();
    for (const id of ['fixed', 'bad', 'deleted since']) quarantine.add(doc(id), 1n, 'first');
    const { record, stopped } = await retryQuarantined(quarantine.record(), await repairIo(made));
    expect(stopped).toBe(false);
    expect(record.docs).toMatchObject([{ id: 'bad', reason: '400 mapper_parsing_exception: still' }]);
    expect(Object.keys(made.contents('target'))).toEqual(['fixed']);
  });

  it('asks a cluster that answers nothing for one part of a long list, and begins with the rest the next time', async () => {
    const made = engine();
    const quarantine = createQuarantine();
    for (let i = 0; i < 250; i++) quarantine.add(doc(`d${i}`), 1n, 'first');
    const io = await repairIo(made);
    const asked: (string | undefined)[] = [];
    const mget: typeof io.clusters.target.mget = async ({ docs }) => {
      asked.push(docs[0]?.id);
      throw new CrossfadeError('UPSTREAM_TIMEOUT');
    };
    const away = { ...io, clusters: { ...io.clusters, target: { ...io.clusters.target, mget } } };
    const first = await retryQuarantined(quarantine.record(), away);
    expect([first.stopped, first.record.docs.length]).toEqual([true, 250]);
    await retryQuarantined(first.record, away);
    expect([...new Set(asked)]).toEqual(['d0', 'd100']);
  });
});

describe('repair of a route', () => {
  it('pins the authority at first use, so that a recreated index is not taken for deletes', async () => {
    const made = engine();
    made.put('a', {});
    made.put('b', {});
    await tailAll(made);
    const { clusters, runtime } = made.io;
    const { repair } = createRouteRepair({ clusters, runtime, transforms: noTransforms });
    made.remove('a');
    expect(kinds(await repair(made.state, [doc('a')]))).toEqual(['deleted']);
    made.pair.source.storage.deleteIndex('p1');
    made.pair.source.storage.createIndex('p1');
    expect(kinds(await repair(made.state, [doc('b')]))).toEqual(['failed']);
    expect(Object.keys(made.contents('target'))).toEqual(['b']);
    // A stay that begins anew with that index has a record of its own.
    expect(kinds(await repair({ ...made.state, phaseRevision: 9 }, [doc('b')]))).toEqual(['deleted']);
  });
});

describe('a quarantine', () => {
  const stamp = (seq: number) => packStamp('narrow', { reign: 1, term: 1, seq });

  it('frees a document only by a copy at least as new as the one refused', () => {
    const quarantine = createQuarantine();
    quarantine.add(doc('a'), stamp(5), 'no');
    quarantine.settle(doc('a'), stamp(4));
    expect(quarantine.size()).toBe(1);
    quarantine.settle(doc('a'), stamp(5));
    expect(quarantine.size()).toBe(0);
  });

  it('is bounded, and counts what it could not list', () => {
    const quarantine = createQuarantine(undefined, 2);
    for (const id of ['a', 'b', 'c']) quarantine.add(doc(id), 1n, 'x'.repeat(1000));
    expect(quarantine.size()).toBe(3);
    expect(quarantine.record()).toMatchObject({ overflowed: 1 });
    expect(quarantine.record().docs.every(({ reason }) => reason.length <= 300)).toBe(true);
  });

  it('survives being saved and restored', () => {
    const quarantine = createQuarantine();
    quarantine.add(doc('a', 'r'), 2n ** 62n, 'no');
    const again = createQuarantine(JSON.parse(JSON.stringify(quarantine.record())));
    again.settle(doc('a'), 2n ** 62n);
    expect(again.size()).toBe(1);
    again.settle(doc('a', 'r'), 2n ** 62n);
    expect(again.size()).toBe(0);
  });
});
