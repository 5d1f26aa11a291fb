import { describe, expect, it } from 'vitest';
import { type Origin, reignOfStay, type StayFacts } from '../../../src/agent/leader/reign-of-stay.ts';
import { lookForReign, originsOf } from '../../../src/agent/leader/stay-facts.ts';
import { emptyJob, newWork } from '../../../src/agent/leader/job-state.ts';
import { directionOf } from '../../../src/agent/direction.ts';
import { beginTail, tailStep } from '../../../src/agent/tail.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { packStamp } from '../../../src/coordination/stamp.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { type Engine, engine } from '../agent/engine.ts';

const now = [{ uuid: 'u1', histories: ['h1', ''] }];
const sent = (over: Partial<Origin> = {}): Origin => ({ reign: 1, authority: 'source', indices: now, ...over });
const stampOf = (reign: number) => packStamp('narrow', { reign, term: 1, seq: 7 });
const facts = (over: Partial<StayFacts>): StayFacts => ({
  record: { reign: 1, layout: 'narrow' },
  known: [sent()],
  present: now,
  largestVersion: stampOf(1),
  ...over,
});
const anew = (uuid: string, ...histories: string[]) => [sent({ indices: [{ uuid, histories }] })];

describe('the reign of a stay in dual, where the target is not new', () => {
  it.each<[string, Partial<StayFacts>, string]>([
    ['the source is the one that was copied', {}, 'same'],
    ['a shard tells its history now and did not before', { known: anew('u1', '', 'h2') }, 'same'],
    ['the source was made anew', { known: anew('u0', 'h1', '') }, 'next'],
    ['the source was restored', { known: anew('u1', 'h0', '') }, 'next'],
    ['the source has another number of shards', { known: anew('u1', 'h1') }, 'next'],
    ['one of two records is of another story', { known: [sent(), ...anew('u0', 'h1', '')] }, 'next'],
    ['nothing is recorded, and stamps of this reign stand there', { known: [] }, 'next'],
    [
      'what is recorded is of an earlier reign, and so are the stamps',
      { record: { reign: 2, layout: 'narrow' } },
      'same',
    ],
    [
      'what is recorded is of an earlier reign, and stamps of this one stand there',
      {
        record: { reign: 2, layout: 'narrow' },
        largestVersion: stampOf(2),
      },
      'next',
    ],
    ['nothing is recorded, and no stamps stand there', { known: [], largestVersion: 12n }, 'same'],
    ['nothing is recorded, and there are stamps of a later reign', { known: [], largestVersion: stampOf(2) }, 'none'],
    ['nothing is recorded, and versions reach beyond all stamps', { known: [], largestVersion: 2n ** 60n }, 'none'],
    [
      'the last reign is used up',
      {
        record: { reign: 63, layout: 'narrow' },
        known: anew('u0', 'h1', '').map((one) => ({ ...one, reign: 63 })),
      },
      'none',
    ],
  ])('%s', (_what, over, kind) => {
    expect(reignOfStay(facts(over)).kind).toBe(kind);
  });
});

const tailAll = async ({ io, state }: Engine, reign: number) => {
  const direction = directionOf({ ...state, phase: { ...state.phase, reign } });
  const begun = await beginTail('start', { ...io, direction });
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  const { state: tail } = await tailStep(begun.state, { ...io, direction });
  return { ...emptyJob, work: { ...newWork({ reign, authority: 'source' as const, epoch: 1 }), tail } };
};
const rebuild = ({ pair, put }: Engine) => {
  pair.source.storage.deleteIndex('p1');
  pair.source.storage.createIndex('p1');
  put('a', { built: 2 });
};
const look = ({ io, state }: Engine, known: readonly Origin[]) =>
  lookForReign(state.phase, known, { spec: state.spec, clusters: io.clusters, runtime: io.runtime });

describe('a source that is built anew while the route is in observe', () => {
  it('is copied anew, although its sequence numbers are lower than those that were copied before', async () => {
    const made = engine();
    for (let i = 0; i < 5; i++) made.put('a', { built: 1, i });
    const job = await tailAll(made, 1);
    const known = await originsOf(new MemoryBucket(), 'products', job);
    expect(await look(made, known)).toEqual({ kind: 'same' });
    rebuild(made);
    await tailAll(made, 1);
    expect(made.contents('target')).toEqual({ a: '{"built":1,"i":4}' });
    expect(await look(made, known)).toEqual({ kind: 'next' });
    await tailAll(made, 2);
    expect(made.contents('target')).toEqual({ a: '{"built":2}' });
  });

  it('gets a reign of its own also where only the target remembers the earlier migration', async () => {
    const made = engine();
    for (let i = 0; i < 500; i++) made.put(`a${i}`, { built: 1 });
    await tailAll(made, 1);
    rebuild(made);
    expect(await look(made, [])).toEqual({ kind: 'next' });
  });

  it('is known by the record of the backfill where the work of the stay is no more', async () => {
    const made = engine();
    const bucket = new MemoryBucket();
    const { work } = await tailAll(made, 1);
    const backfill = { schema: 1, state: 'done', authority: 'source', reign: 1, chunks: 1, docs: 0, startedAt: '' };
    await bucket.put(keys.job('products', 'backfill'), JSON.stringify({ ...backfill, indices: work.tail.indices }));
    expect(await originsOf(bucket, 'products', emptyJob)).toMatchObject([{ indices: work.tail.indices }]);
  });

  it.each([
    ['a target that nobody wrote to', {}, false],
    ['versions that the application sets', { versions: 'external' }, true],
  ])('needs no new reign with %s', async (_what, spec, filled) => {
    const made = engine({}, spec);
    made.put('a', {});
    if (filled) await tailAll(made, 1);
    made.pair.source.requests.length = 0;
    expect(await look(made, [])).toEqual({ kind: 'same' });
  });
});
