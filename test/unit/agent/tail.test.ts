import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginTail, type TailState, tailStep } from '../../../src/agent/tail.ts';
import { createLooks } from '../../../src/agent/already-there.ts';
import { stampOf } from '../../../src/agent/direction.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import type { Doc } from '../../sim/storage.ts';
import { type Engine, engine } from './engine.ts';
import { controls } from './route.ts';

const begin = async ({ io }: Engine, at: 'start' | 'checkpoint' = 'start'): Promise<TailState> => {
  const begun = await beginTail(at, io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  return begun.state;
};

/** What a member does that copies its own writes. */
const copyDirectly = ({ pair, direction }: Engine, id: string): void => {
  const { seq, term, source } = pair.source.storage.contents('p1').get(id) as Doc;
  const version = stampOf(direction, { seqNo: seq, primaryTerm: term });
  pair.target.storage.write({ op: 'index', index: 'p2', id, source, external: true, version });
};

const pathsOf = ({ requests }: { requests: { path: string }[] }): string[] =>
  requests.splice(0).map(({ path }) => path.split('?')[0] as string);

/** Its last range held what the follower had. */
const onceFoundThere = async () => {
  const made = engine();
  const io = { ...made.io, looks: createLooks() };
  made.put('first', {});
  copyDirectly(made, 'first');
  const { state } = await tailStep(await begin(made), io);
  pathsOf(made.pair.target);
  return { made, io, state };
};

describe('the tail', () => {
  it('copies every document of the authority, byte for byte, and then has nothing to do', async () => {
    const made = engine();
    const odd = '{ "price":1.0, "big":12345678901234567890 }';
    made.put('odd', odd);
    for (let i = 0; i < 40; i++) made.put(`d${i}`, { i });
    const first = await tailStep(await begin(made), made.io);
    expect(first).toMatchObject({ kind: 'ok', caughtUp: true, behind: 0, docs: 41, applied: 41 });
    expect(made.contents('target')).toEqual(made.contents('source'));
    expect(made.contents('target')['odd']).toBe(odd);
    const second = await tailStep(first.state, made.io);
    made.pair.source.requests.length = 0;
    expect(await tailStep(second.state, made.io)).toMatchObject({ kind: 'ok', caughtUp: true, docs: 0 });
    expect(made.pair.source.requests.map(({ path }) => path.split('?')[0])).toEqual(['/p1/_stats/docs']);
  });

  it('finds later updates and new documents, and leaves newer copies alone', async () => {
    const made = engine();
    made.put('a', { n: 1 });
    made.put('b', { n: 1 });
    const { state } = await tailStep(await begin(made), made.io);
    made.put('b', { n: 2 });
    made.put('c', { n: 1 });
    made.pair.target.storage.write({
      op: 'index',
      index: 'p2',
      id: 'c',
      source: '{"n":"newer"}',
      external: true,
      version: 2n ** 50n,
    });
    const next = await tailStep(state, made.io);
    expect(next).toMatchObject({ docs: 2, applied: 1 });
    expect(made.contents('target')).toEqual({ a: '{"n":1}', b: '{"n":2}', c: '{"n":"newer"}' });
  });

  it('starts at the present position when told so', async () => {
    const made = engine();
    made.put('before', {});
    const state = await begin(made, 'checkpoint');
    made.put('after', {});
    await tailStep(state, made.io);
    expect(Object.keys(made.contents('target'))).toEqual(['after']);
  });

  it('keeps the routing of documents', async () => {
    const made = engine();
    made.put('a', {}, 'r1');
    await tailStep(await begin(made), made.io);
    expect(made.pair.target.storage.contents('p2').get('a')?.routing).toBe('r1');
  });

  it('goes on where it was after a bounded step', async () => {
    const made = engine();
    for (let i = 0; i < 100; i++) made.put(`d${i}`, { i });
    let result = await tailStep(await begin(made), { ...made.io, maxPages: 1 });
    expect(result).toMatchObject({ kind: 'ok', caughtUp: false });
    expect(result.docs).toBeLessThan(100);
    for (let n = 0; n < 30 && !result.caughtUp; n++) result = await tailStep(result.state, { ...made.io, maxPages: 1 });
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it('moves past a document that the follower refuses, and remembers it', async () => {
    const made = engine();
    made.put('bad', { refuse: true });
    made.put('good', {});
    const { write } = made.pair.target.storage;
    made.pair.target.storage.write = (op) =>
      op.id === 'bad'
        ? { status: 400, index: 'p2', error: { type: 'mapper_parsing_exception', reason: 'no' } }
        : write.call(made.pair.target.storage, op);
    const result = await tailStep(await begin(made), made.io);
    expect(result).toMatchObject({ kind: 'ok', caughtUp: true });
    expect(made.io.quarantine.record().docs).toMatchObject([{ id: 'bad', reason: '400 mapper_parsing_exception: no' }]);
    made.pair.target.storage.write = write;
    made.put('bad', { fine: true });
    await tailStep(result.state, made.io);
    expect(made.io.quarantine.size()).toBe(0);
  });

  it('copies documents whose comments make the answers that show them invalid, and all their neighbours', async () => {
    const made = engine();
    for (let i = 0; i < 30; i++) made.put(`d${i}`, { i });
    made.put('d7', '{"i":7} // seven');
    made.put('more', '{"i":"x" // "}\n}//', 'r');
    let step = await tailStep(await begin(made), made.io);
    while (!step.caughtUp) step = await tailStep(step.state, made.io);
    expect(made.contents('target')).toMatchObject({ d6: '{"i":6}', d7: '{"i":7}', d8: '{"i":8}' });
    expect(Object.keys(made.contents('target'))).toHaveLength(31);
  });

  it('leaves a document that changes while it is read alone to the next step', async () => {
    const made = engine();
    made.put('a', '{"i":1} // one');
    const { source } = made.io.clusters;
    const racing = {
      ...source,
      source: async (get: Parameters<typeof source.source>[0]) => {
        const read = await source.source(get);
        made.put('a', '{"i":2}');
        return read;
      },
    };
    const first = await tailStep(await begin(made), { ...made.io, clusters: { ...made.io.clusters, source: racing } });
    expect(first).toMatchObject({ kind: 'ok', docs: 0 });
    expect(await tailStep(first.state, made.io)).toMatchObject({ kind: 'ok', docs: 1 });
    expect(made.contents('target')).toEqual({ a: '{"i":2}' });
  });

  it('keeps what it did and does not pass the rest when the follower is fenced', async () => {
    const made = engine();
    made.put('a', {});
    const state = await begin(made);
    made.pair.target.storage.createIndex('crossfade-fence', { blocked: true });
    made.pair.target.storage.updateAliases([
      { kind: 'remove', index: 'p2', alias: 'crossfade-products-c1' },
      { kind: 'add', index: 'crossfade-fence', alias: 'crossfade-products-c1' },
    ]);
    expect(await tailStep(state, made.io)).toMatchObject({ kind: 'fenced', caughtUp: false, state });
  });

  it('comes back from a follower that takes nothing, with the reason, when it has been told for how long to repeat', async () => {
    const made = engine();
    made.put('a', {});
    const state = await begin(made);
    const error = { type: 'index_not_found_exception', reason: 'gone' };
    made.pair.target.storage.write = () => ({ status: 404, index: 'p2', error });
    const result = await tailStep(state, { ...made.io, repeatForMs: 3_000 });
    expect(result).toMatchObject({ kind: 'stuck', caughtUp: false, behind: undefined, state });
    expect(result).toMatchObject({ detail: 'the target takes nothing: 404 index_not_found_exception: gone' });
  });

  it.each([
    ['deleted', (made: Engine) => made.pair.source.storage.deleteIndex('p1')],
    [
      'recreated',
      (made: Engine) => {
        made.pair.source.storage.deleteIndex('p1');
        made.pair.source.storage.createIndex('p1');
      },
    ],
  ])('says so when the index was %s', async (_what, change) => {
    const made = engine();
    made.put('a', {});
    const state = await begin(made);
    change(made);
    expect(await tailStep(state, made.io)).toMatchObject({ kind: 'index_recreated', state });
  });

  it('asks the follower first where it had the last ones already, and sends only what it lacks', async () => {
    const { made, io, state } = await onceFoundThere();
    for (let i = 0; i < 30; i++) {
      made.put(`d${i}`, { i });
      if (i !== 3 && i !== 20) copyDirectly(made, `d${i}`);
    }
    const result = await tailStep(state, io);
    expect(result).toMatchObject({ kind: 'ok', caughtUp: true, docs: 30, applied: 2 });
    expect(made.contents('target')).toEqual(made.contents('source'));
    made.put('d3', { i: 'again' });
    copyDirectly(made, 'd3');
    pathsOf(made.pair.target);
    expect(await tailStep(result.state, io)).toMatchObject({ caughtUp: true, docs: 1, applied: 0 });
    expect(pathsOf(made.pair.target)).toEqual(['/crossfade-products-c1/_mget']);
  });

  it('sends at once again when the follower no longer has most of them', async () => {
    const { made, io, state } = await onceFoundThere();
    made.put('a', {});
    const { state: after } = await tailStep(state, io);
    made.put('b', {});
    pathsOf(made.pair.target);
    await tailStep(after, io);
    expect(pathsOf(made.pair.target)).toEqual(['/crossfade-products-c1/_bulk']);
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it('takes an older version on the follower, and one it cannot be asked for, as missing', async () => {
    const { made, io, state } = await onceFoundThere();
    made.put('first', { n: 2 });
    const unable = { ...made.io.clusters.target, mget: () => Promise.reject(new CrossfadeError('UPSTREAM_TIMEOUT')) };
    const blind = { ...io, clusters: { ...io.clusters, target: unable } };
    expect(await tailStep(state, blind)).toMatchObject({ caughtUp: true, applied: 1 });
    expect(await tailStep(state, io)).toMatchObject({ caughtUp: true });
    expect(made.contents('target')).toEqual({ first: '{"n":2}' });
  });

  it('settles a refusal that a newer copy has overtaken, also where it only asked', async () => {
    const { made, io, state } = await onceFoundThere();
    io.quarantine.add({ ordinal: 0, id: 'first', routing: undefined }, 0n, 'refused');
    made.put('first', { n: 2 });
    copyDirectly(made, 'first');
    await tailStep(state, io);
    expect(io.quarantine.size()).toBe(0);
  });

  it('is fenced also where it asked first', async () => {
    const { made, io, state } = await onceFoundThere();
    made.put('first', { n: 2 });
    copyDirectly(made, 'first');
    made.pair.target.storage.createIndex('crossfade-fence', { blocked: true });
    made.pair.target.storage.updateAliases([
      { kind: 'remove', index: 'p2', alias: 'crossfade-products-c1' },
      { kind: 'add', index: 'crossfade-fence', alias: 'crossfade-products-c1' },
    ]);
    expect(await tailStep(state, io)).toMatchObject({ kind: 'fenced', caughtUp: false });
  });

  it('is stale under another reign', async () => {
    const made = engine();
    const state = await begin(made);
    const direction = { ...made.direction, reign: 2 };
    expect(await tailStep(state, { ...made.io, direction })).toMatchObject({ kind: 'stale' });
  });

  it('reports a cluster out of reach and goes on later', async () => {
    const made = engine();
    made.put('a', {});
    const state = await begin(made);
    const down = { request: () => Promise.reject(new CrossfadeError('UPSTREAM_UNREACHABLE')) };
    const clusters = {
      ...made.io.clusters,
      source: controls({ ...made.pair, source: { ...made.pair.source, transport: down } }).source,
    };
    expect(await tailStep(state, { ...made.io, clusters })).toMatchObject({
      kind: 'unavailable',
      behind: undefined,
      state,
    });
    expect(await tailStep(state, made.io)).toMatchObject({ kind: 'ok', caughtUp: true });
  });

  it('works the other way round after a switch', async () => {
    const made = engine({ phase: 'target', epoch: 2, reign: 2 });
    made.put('a', { from: 'target' });
    await tailStep(await begin(made), made.io);
    expect(made.contents('source')).toEqual({ a: '{"from":"target"}' });
  });

  it('brings every surviving document over, whatever is written between its steps', async () => {
    const write = fc.record({ id: fc.nat(8), remove: fc.boolean(), value: fc.nat(), direct: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(write, { maxLength: 15 }), { maxLength: 6 }), async (rounds) => {
        const made = engine();
        const io = { ...made.io, looks: createLooks() };
        let state = await begin(made);
        for (const writes of rounds) {
          for (const { id, remove, value, direct } of writes) {
            if (remove) made.remove(`d${id}`);
            else made.put(`d${id}`, { value });
            if (!remove && direct) copyDirectly(made, `d${id}`);
          }
          state = (await tailStep(state, io)).state;
        }
        const { caughtUp } = await tailStep(state, io);
        expect(caughtUp).toBe(true);
        expect(made.contents('target')).toMatchObject(made.contents('source'));
      }),
      { numRuns: 40 },
    );
  });
});
