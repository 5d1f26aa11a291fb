import { describe, expect, it } from 'vitest';
import type { VerifyIo } from '../../../src/agent/verify-io.ts';
import { beginWatch, type FollowerWatch, isForeign, isWatchOf, watchStep } from '../../../src/agent/follower-watch.ts';
import { beginTail, tailStep } from '../../../src/agent/tail.ts';
import { packStamp } from '../../../src/coordination/stamp.ts';
import { type Engine, engine } from './engine.ts';

const copied = async (made: Engine): Promise<void> => {
  const begun = await beginTail('start', made.io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  await tailStep(begun.state, made.io);
};
const begin = async (made: Engine): Promise<FollowerWatch> => {
  const watch = await beginWatch(made.io as VerifyIo);
  if ('problem' in watch) throw new Error(watch.problem);
  return watch;
};
/** A first look suspects, a second one is sure. */
const lookTwice = async (made: Engine, watch: FollowerWatch) => {
  const first = await watchStep(watch, made.io as VerifyIo);
  return watchStep(first.watch, made.io as VerifyIo);
};
const meddle = ({ pair }: Engine, id: string, source = '{"by":"them"}'): void => {
  pair.target.storage.write({ op: 'index', index: 'p2', id, source });
  pair.target.storage.refresh('p2');
};

describe('the watch over the follower', () => {
  it('has nothing to say while only copies are written', async () => {
    const made = engine();
    const watch = await begin(made);
    for (let i = 0; i < 30; i++) made.put(`d${i}`, { i });
    await copied(made);
    for (let i = 0; i < 30; i += 2) made.put(`d${i}`, { again: i });
    const { foreign, recreated, watch: after } = await lookTwice(made, watch);
    expect({ foreign, recreated, suspects: after.suspects }).toEqual({
      foreign: undefined,
      recreated: undefined,
      suspects: [],
    });
  });

  it('names a document that somebody added to the follower, and one that somebody changed there', async () => {
    const made = engine();
    made.put('mine', { by: 'us' });
    await copied(made);
    const watch = await begin(made);
    meddle(made, 'theirs');
    expect((await lookTwice(made, watch)).foreign).toMatch(/p2 on the target: 1 document, for example theirs;/);
    meddle(made, 'mine');
    expect((await lookTwice(made, watch)).foreign).toMatch(/p2 on the target: 2 documents/);
  });

  it('forgets a document once both sides agree about it again, and not before', async () => {
    const made = engine();
    made.put('mine', { by: 'us' });
    await copied(made);
    const watch = await begin(made);
    meddle(made, 'mine');
    const noticed = await lookTwice(made, watch);
    expect((await watchStep(noticed.watch, made.io as VerifyIo)).foreign).toBeDefined();
    // The very next write has the stamp that the stranger's write stands at, so its copy is taken for one that is there.
    made.put('mine', { by: 'us again' });
    await copied(made);
    expect((await lookTwice(made, noticed.watch)).foreign).toBeDefined();
    made.put('mine', { by: 'us once more' });
    await copied(made);
    const after = await watchStep(noticed.watch, made.io as VerifyIo);
    expect({ foreign: after.foreign, suspects: after.watch.suspects }).toEqual({ foreign: undefined, suspects: [] });
  });

  it('tells that the follower is another index', async () => {
    const made = engine();
    const watch = await begin(made);
    made.pair.target.storage.deleteIndex('p2');
    expect((await watchStep(watch, made.io as VerifyIo)).recreated).toMatch(/p2: the index does not exist/);
    made.pair.target.storage.createIndex('p2');
    expect((await watchStep(watch, made.io as VerifyIo)).recreated).toMatch(/p2: UUID was/);
  });

  it('belongs to one reign and one follower', async () => {
    const made = engine();
    const watch = await begin(made);
    expect(isWatchOf(watch, made.direction)).toBe(true);
    expect(isWatchOf(watch, { ...made.direction, reign: 2 })).toBe(false);
    expect(isWatchOf(watch, { ...made.direction, follower: 'source' })).toBe(false);
  });
});

describe('a version on the follower', () => {
  const { direction } = engine({ reign: 2 });
  const stamp = (reign: number, seq: number) => packStamp(direction.layout, { reign, term: 1, seq });
  const authority = (seqNo: number) =>
    ({
      kind: 'found',
      doc: { id: 'a', routing: undefined, seqNo, primaryTerm: 1, version: undefined, source: undefined },
    }) as const;
  const absent = { kind: 'absent' } as const;
  it.each([
    ['of a document that no copy wrote', 1n, absent, true],
    ['of a reign to come', stamp(3, 1), authority(9), true],
    ['of an earlier reign', stamp(1, 50), authority(9), false],
    ["at the authority's own write", stamp(2, 9), authority(9), false],
    ["below the authority's own write", stamp(2, 8), authority(9), false],
    ["above the authority's own write", stamp(2, 10), authority(9), true],
    ['of a document that the authority has deleted', stamp(2, 8), absent, false],
  ] as const)('%s is told right', (_what, version, other, foreign) => {
    expect(isForeign(version, other, direction)).toBe(foreign);
  });
});
