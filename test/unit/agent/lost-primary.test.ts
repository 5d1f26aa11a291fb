/** Primaries that fail with writes that no replica holds, over a fake cluster that gives their numbers out again. */
import { describe, expect, it } from 'vitest';
import { createClusterControl } from '../../../src/agent/cluster.ts';
import { patientTerms } from '../../../src/agent/tail-look.ts';
import { beginTail, type TailIo, type TailState, tailStep } from '../../../src/agent/tail.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { type Engine, engine } from './engine.ts';

const replicating = (): Engine => engine({}, {}, { shards: 1, replicateLater: true });
const replicate = ({ pair }: Engine, id: string, seq: number): void =>
  pair.source.storage.replicate({ index: 'p1', id, seq });

const start = async ({ io }: Engine): Promise<TailState> => {
  const begun = await beginTail('start', io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  return begun.state;
};
const turns = async (count: number, state: TailState, io: TailIo): Promise<TailState> => {
  let now = state;
  for (let i = 0; i < count; i++) ({ state: now } = await tailStep(now, io));
  return now;
};

/** The first write is acknowledged, and hidden by one that only the primary holds when the tail comes. */
const passedHidden = async (io?: (made: Engine) => TailIo) => {
  const made = replicating();
  made.put('a', { acknowledged: true });
  replicate(made, 'a', 0);
  made.put('a', { acknowledged: false });
  const used = io?.(made) ?? made.io;
  return { made, io: used, state: await turns(1, await start(made), used) };
};

describe('a write that the tail passed because a newer one hid it', () => {
  it('is copied after all when the primary fails with the newer one', async () => {
    const { made, io, state } = await passedHidden();
    expect([state.indices[0]?.cursors, made.contents('target')]).toEqual([[0], {}]);
    made.pair.source.storage.failOver('p1');
    await turns(2, state, io);
    expect(made.contents('target')).toEqual({ a: '{"acknowledged":true}' });
  });

  it('is copied after all when its leader died and the numbers were given out again meanwhile', async () => {
    const { made, io, state } = await passedHidden();
    made.pair.source.storage.failOver('p1');
    for (const id of ['b', 'c']) made.put(id, {});
    for (const [id, seq] of [
      ['b', 1],
      ['c', 2],
    ] as const)
      replicate(made, id, seq);
    await turns(2, JSON.parse(JSON.stringify(state)) as TailState, io);
    expect(Object.keys(made.contents('target')).sort()).toEqual(['a', 'b', 'c']);
  });

  it('needs no copy when every replica has the newer one, and then no doubt is left and no term asked for', async () => {
    const { made, io, state } = await passedHidden();
    expect(await tailStep(state, io)).toMatchObject({ caughtUp: true, inDoubt: true });
    replicate(made, 'a', 1);
    const rest = await turns(2, state, io);
    expect(await tailStep(rest, io)).toMatchObject({ caughtUp: true, inDoubt: false });
    made.pair.source.requests.length = 0;
    await turns(3, rest, io);
    expect(made.pair.source.requests.filter(({ path }) => path.startsWith('/_cluster'))).toEqual([]);
    expect(made.contents('target')).toEqual({ a: '{"acknowledged":false}' });
  });

  it('asks for the term after the shards, and reads nothing in a step that finds another one', async () => {
    const { made, io, state } = await passedHidden();
    made.pair.source.storage.failOver('p1');
    made.pair.source.requests.length = 0;
    expect(await tailStep(state, io)).toMatchObject({ kind: 'ok', caughtUp: false, docs: 0 });
    expect(made.pair.source.requests.map(({ path }) => path.split('?')[0])).toEqual([
      '/p1/_stats/docs',
      '/_cluster/state/metadata/p1',
    ]);
  });

  it('is missed where no terms are told, and the tail goes on', async () => {
    const { made, io, state } = await passedHidden((made) => ({ ...made.io, askTerms: async () => undefined }));
    made.pair.source.storage.failOver('p1');
    expect(await tailStep(state, io)).toMatchObject({ kind: 'ok', caughtUp: true, inDoubt: false });
    expect(made.contents('target')).toEqual({});
  });
});

describe('primary terms', () => {
  const answering = (status: number, body: unknown = {}) => {
    let asked = 0;
    const request = async () => {
      asked++;
      return { status, headers: {}, body: Buffer.from(JSON.stringify(body)) };
    };
    return { cluster: createClusterControl({ request }), asked: () => asked };
  };

  it.each([
    [
      'in the order of the shards',
      { metadata: { indices: { p1: { primary_terms: { 10: 3, 2: 2, 0: 1 } } } } },
      [1, 2, 3],
    ],
    ['not of an index that is not there', {}, undefined],
  ])('are told %s', async (_what, body, terms) => {
    expect(await answering(200, body).cluster.primaryTerms('p1')).toEqual(terms);
  });

  it.each([400, 401, 403, 404, 405])('are not told by a cluster that answers %i', async (status) => {
    expect(await answering(status).cluster.primaryTerms('p1')).toBeUndefined();
  });

  it.each([429, 503])('cannot be asked for at the moment when the answer is %i', async (status) => {
    await expect(answering(status).cluster.primaryTerms('p1')).rejects.toThrow(CrossfadeError);
  });

  it('are asked for again only after ten minutes once they were refused', async () => {
    const runtime = manualRuntime();
    const ask = patientTerms(runtime);
    const { cluster, asked } = answering(403);
    for (let i = 0; i < 3; i++) expect(await ask(cluster, 'p1', {})).toBeUndefined();
    expect(asked()).toBe(1);
    await runtime.advance(600_000);
    await ask(cluster, 'p1', {});
    expect(asked()).toBe(2);
  });
});
