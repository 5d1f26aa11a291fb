import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginSweep, type SweepIo, type SweepState, sweepStep } from '../../../src/agent/sweep.ts';
import { beginTail, tailStep } from '../../../src/agent/tail.ts';
import { type Engine, engine } from './engine.ts';

const begin = async (io: SweepIo): Promise<SweepState> => {
  const begun = await beginSweep(io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  return begun.state;
};
const sweepAll = async (io: SweepIo) => {
  let result = await sweepStep(await begin(io), io);
  while (result.kind === 'more') result = await sweepStep(result.state, io);
  return result;
};
const tailAll = async ({ io }: Engine) => {
  const begun = await beginTail('start', io);
  if (begun.kind === 'ok') await tailStep(begun.state, io);
};
const foreign = (made: Engine, id: string, version = 3n) =>
  made.pair.target.storage.write({ op: 'index', index: 'p2', id, source: '{"foreign":true}', external: true, version });

describe('the sweep', () => {
  it('removes what the authority no longer has and nothing else', async () => {
    const made = engine();
    for (let i = 0; i < 30; i++) made.put(`d${i}`, { i });
    await tailAll(made);
    for (let i = 0; i < 30; i += 3) made.remove(`d${i}`);
    foreign(made, 'stranger');
    const result = await sweepAll(made.io);
    expect(result).toMatchObject({ kind: 'done', state: { removed: 11, scanned: 31 } });
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it('leaves a document alone that was written again after it was read: the newer stamp wins in either order', async () => {
    const made = engine();
    made.put('a', { n: 1 });
    await tailAll(made);
    made.remove('a');
    const copyAgain = async () => {
      made.put('a', { n: 2 });
      await tailAll(made);
    };
    const { transport } = made.pair.source;
    const { request } = transport;
    transport.request = async (asked) => {
      const answer = await request(asked);
      if (asked.path.includes('_mget')) await copyAgain();
      return answer;
    };
    await sweepAll(made.io);
    expect(made.contents('target')).toEqual({ a: '{"n":2}' });
  });

  it('does not end as done when the follower takes no deletes, and says why', async () => {
    const made = engine();
    foreign(made, 'stranger');
    const { transport } = made.pair.target;
    const { request } = transport;
    const error = { type: 'illegal_argument_exception', reason: 'no deletes here' };
    transport.request = async (asked) =>
      asked.path.includes('_bulk')
        ? { status: 400, headers: {}, body: Buffer.from(JSON.stringify({ error })) }
        : request(asked);
    const result = await sweepAll(made.io);
    expect(result).toMatchObject({ kind: 'refused', detail: expect.stringContaining('no deletes here') });
  });

  it('can be stopped after any page and resumed from its saved state', async () => {
    const made = engine();
    for (let i = 0; i < 60; i++) foreign(made, `f${i}`);
    const io: SweepIo = { ...made.io, maxPages: 1, limits: { pageBytes: 10_000, maxPageDocs: 5 } };
    let result = await sweepStep(await begin(io), io);
    let steps = 1;
    for (; result.kind === 'more'; steps++) result = await sweepStep(JSON.parse(JSON.stringify(result.state)), io);
    expect(steps).toBeGreaterThan(3);
    expect(result.kind).toBe('done');
    expect(made.contents('target')).toEqual({});
  });

  it.each([
    ['deleted', (made: Engine) => made.pair.source.storage.deleteIndex('p1')],
    [
      'recreated empty',
      (made: Engine) => {
        made.pair.source.storage.deleteIndex('p1');
        made.pair.source.storage.createIndex('p1');
      },
    ],
  ])('deletes nothing when the authority was %s meanwhile', async (_what, change) => {
    const made = engine();
    made.put('a', {});
    await tailAll(made);
    const state = await begin(made.io);
    change(made);
    const result = await sweepStep(state, made.io);
    expect(['index_recreated', 'unavailable']).toContain(result.kind);
    expect(Object.keys(made.contents('target'))).toEqual(['a']);
  });

  it('does not take a shard that cannot answer for absence', async () => {
    const made = engine();
    foreign(made, 'a');
    const { transport } = made.pair.source;
    const { request } = transport;
    transport.request = async (asked) =>
      asked.path.includes('_mget')
        ? {
            status: 200,
            headers: {},
            body: Buffer.from('{"docs":[{"_id":"a","error":{"type":"no_shard_available_action_exception"}}]}'),
          }
        : request(asked);
    expect(await sweepStep(await begin(made.io), made.io)).toMatchObject({ kind: 'unavailable' });
    expect(Object.keys(made.contents('target'))).toEqual(['a']);
  });

  it('leaves documents alone that the way back would drop', async () => {
    const made = engine();
    foreign(made, 'kept');
    made.pair.target.storage.write({ op: 'index', index: 'p2', id: 'gone', source: '{}', external: true, version: 3n });
    const mayDrop = (doc: unknown) => ((doc as { foreign?: boolean }).foreign ? null : doc);
    await sweepAll({ ...made.io, mayDrop });
    expect(Object.keys(made.contents('target'))).toEqual(['kept']);
  });

  it('goes on behind a document that the way back fails on, and leaves it where it may be the only one', async () => {
    const made = engine();
    foreign(made, 'broken');
    foreign(made, 'gone');
    const mayDrop = (doc: unknown, { id }: { id: string }) => {
      if (id === 'broken') throw new Error('no such field');
      return doc;
    };
    expect(await sweepAll({ ...made.io, mayDrop })).toMatchObject({ kind: 'done' });
    expect(Object.keys(made.contents('target'))).toEqual(['broken']);
  });

  it('with a tail makes the follower equal, whatever was deleted, recreated or resurrected', async () => {
    const event = fc.record({ id: fc.nat(6), kind: fc.constantFrom('put', 'remove', 'tail', 'resurrect') });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
        const made = engine();
        for (const { id, kind } of events) {
          if (kind === 'put') made.put(`d${id}`, { kind });
          else if (kind === 'remove') made.remove(`d${id}`);
          else if (kind === 'tail') await tailAll(made);
          else foreign(made, `d${id}`, 1n);
        }
        await tailAll(made);
        await sweepAll(made.io);
        expect(made.contents('target')).toEqual(made.contents('source'));
      }),
      { numRuns: 40 },
    );
  });
});
