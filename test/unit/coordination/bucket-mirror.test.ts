import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BucketMirror, type Extent, type Push, type StoredMessage } from '../../../src/coordination/bucket-mirror.ts';
import type { Change, Entry } from '../../../src/coordination/ports.ts';

/** A stream as the server keeps it: the last message of each key. */
class Stream {
  readonly created: string;
  readonly messages = new Map<string, StoredMessage>();
  lastRevision = 0;

  constructor(created: string) {
    this.created = created;
  }

  write(key: string, value: string | undefined): Push {
    const previous = this.messages.get(key)?.revision ?? 0;
    const message = { key, value, revision: ++this.lastRevision };
    this.messages.set(key, message);
    return { ...message, previous };
  }

  get extent(): Extent {
    return { created: this.created, lastRevision: this.lastRevision, keys: this.messages.size };
  }

  after(revision: number): StoredMessage[] {
    return [...this.messages.values()].filter((m) => m.revision > revision).sort((a, b) => a.revision - b.revision);
  }

  get entries(): Entry[] {
    return [...this.messages.values()].flatMap(({ key, value, revision }) =>
      value === undefined ? [] : [{ key, value, revision }],
    );
  }
}

/** One look of the follower. */
const look = (mirror: BucketMirror, stream: Stream): Change[] => {
  const changes: Change[] = [];
  for (let again = true; again;) {
    const { extent } = stream;
    const plan = mirror.catchup(extent);
    again = plan.kind === 'reload';
    if (plan.kind === 'reload') changes.push(...mirror.reload([...stream.messages.values()], extent));
    if (plan.kind === 'walk') changes.push(...mirror.walked(stream.after(plan.after), extent.lastRevision));
    if (mirror.hasVanished(extent))
      changes.push(...mirror.vanished(new Set(stream.messages.keys()), extent.lastRevision));
  }
  return changes;
};
const byKey = (entries: Entry[]): Entry[] => entries.sort((a, b) => a.key.localeCompare(b.key));
const followed = (...writes: [string, string | undefined][]) => {
  const [mirror, stream] = [new BucketMirror(), new Stream('first')];
  for (const [key, value] of writes) stream.write(key, value);
  look(mirror, stream);
  return { mirror, stream };
};

describe('a pushed message', () => {
  it('is believed when it continues the stream and its key', () => {
    const { mirror, stream } = followed(['a', '1']);
    expect(mirror.push(stream.write('a', '2'))).toEqual({ key: 'a', value: '2', revision: 2 });
    expect(mirror.push(stream.write('b', '1'))).toEqual({ key: 'b', value: '1', revision: 3 });
    expect(mirror.push(stream.write('a', undefined))).toEqual({ key: 'a', value: undefined, revision: 4 });
    expect(mirror.entries('')).toEqual([{ key: 'b', value: '1', revision: 3 }]);
  });

  it('is nothing new when it was fetched already', () => {
    const { mirror, stream } = followed(['a', '1']);
    const push = stream.write('a', '2');
    look(mirror, stream);
    expect(mirror.push(push)).toBeUndefined();
  });

  it.each<[string, (stream: Stream) => Push]>([
    ['leaves a gap', (stream) => stream.write('a', '2') && stream.write('a', '3')],
    ['names another predecessor of its key', (stream) => ({ ...stream.write('a', '2'), previous: 77 })],
    ['has a revision that another message had', () => ({ key: 'b', value: 'x', revision: 1, previous: 0 })],
    [
      'has the revision of a known message and another value',
      () => ({ key: 'a', value: 'x', revision: 1, previous: 0 }),
    ],
  ])('that %s is not believed, nor what follows it, until the leader was asked', (_, make) => {
    const { mirror, stream } = followed(['a', '1']);
    const before = mirror.entries('');
    expect(mirror.push(make(stream))).toBe('fetch');
    expect(mirror.push(stream.write('a', 'next'))).toBe('fetch');
    expect(mirror.entries('')).toEqual(before);
    look(mirror, stream);
    expect(mirror.entries('')).toEqual(stream.entries);
    expect(mirror.push(stream.write('a', 'after'))).toMatchObject({ value: 'after' });
  });

  it('is not believed before the first look nor after a lost connection', () => {
    const stream = new Stream('first');
    const mirror = new BucketMirror();
    expect(mirror.push(stream.write('a', '1'))).toBe('fetch');
    look(mirror, stream);
    mirror.interrupt();
    expect(mirror.push(stream.write('a', '2'))).toBe('fetch');
  });

  it('of another stream that took the place of this one is never taken for a continuation', () => {
    const { mirror } = followed(['a', '1'], ['b', '1']);
    const other = new Stream('second');
    for (const key of ['a', 'b', 'c', 'd'] as const) expect(mirror.push(other.write(key, 'foreign'))).toBe('fetch');
    expect(mirror.entries('').map((entry) => entry.value)).toEqual(['1', '1']);
  });
});

describe('a look at the stream', () => {
  it('replaces everything when the stream is another one, and tells what is gone', () => {
    const { mirror } = followed(['a', '1'], ['b', '1']);
    const other = new Stream('second');
    other.write('a', '9');
    expect(look(mirror, other)).toEqual([
      { key: 'a', value: '9', revision: 1 },
      { key: 'b', value: undefined, revision: 1, expired: true },
    ]);
  });

  it('tells apart that the stream lost what was seen', () => {
    const { mirror } = followed(['a', '1'], ['a', '2'], ['a', '3']);
    const shorter = new Stream('first');
    shorter.write('a', '1');
    expect(mirror.catchup(shorter.extent)).toEqual({ kind: 'reload', lostWrites: true });
  });

  it('tells how much of what was seen is still there', () => {
    const { mirror } = followed(['a', '1'], ['b', '1'], ['c', undefined], ['b', '2'], ['a', '2'], ['a', '3']);
    const restored = new Stream('first');
    for (const [key, value] of [
      ['a', '1'],
      ['b', '1'],
      ['c', undefined],
      ['b', 'other'],
      ['d', '1'],
    ] as const)
      restored.write(key, value);
    expect(mirror.kept([...restored.messages.values()])).toBe(3);
    expect(new BucketMirror().kept([...restored.messages.values()])).toBe(0);
  });

  it('takes an answer that pushes have overtaken on its way for no loss', () => {
    const { mirror, stream } = followed(['a', '1']);
    const [askedAt, { extent }] = [mirror.cursor, stream];
    mirror.push(stream.write('a', '2'));
    expect(mirror.catchup(extent, askedAt)).toEqual({ kind: 'same' });
    expect(mirror.entries('').map((entry) => entry.value)).toEqual(['2']);
    expect(mirror.push(stream.write('a', '3'))).toMatchObject({ value: '3' });
  });

  it('finds keys that ran out, and not those written since the keys were counted', () => {
    const { mirror, stream } = followed(['a', '1'], ['b', '1']);
    stream.messages.delete('a');
    mirror.push(stream.write('c', '1'));
    expect(mirror.hasVanished(stream.extent)).toBe(true);
    expect(mirror.vanished(new Set(['b']), 2)).toEqual([{ key: 'a', value: undefined, revision: 2, expired: true }]);
    expect(mirror.entries('').map((entry) => entry.key)).toEqual(['b', 'c']);
  });

  it('loads anew instead of walking a long way', () => {
    const { mirror, stream } = followed(['a', '1']);
    for (let i = 0; i < 1_000; i++) stream.write('a', `${i}`);
    expect(mirror.catchup(stream.extent)).toEqual({ kind: 'reload', lostWrites: false });
  });
});

describe('a mirror', () => {
  const step = fc.record({
    act: fc.constantFrom('write', 'write', 'write', 'delete', 'expire', 'look', 'interrupt', 'recreate'),
    key: fc.constantFrom('a', 'b', 'c'),
    fate: fc.constantFrom('push', 'push', 'lose', 'twice', 'delay'),
  });

  it('tells only what stood in the stream, per key in order, and equals the stream after a look', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const mirror = new BucketMirror();
        let stream = new Stream('0');
        let delayed: Push[] = [];
        const truth = new Set<string>();
        const note = (push: Push) => truth.add(`${stream.created}/${push.key}/${push.revision}/${push.value}`);
        const highest = new Map<string, number>();
        const hear = (change: Change | 'fetch' | undefined): void => {
          if (change === undefined || change === 'fetch') return;
          expect(truth).toContain(`${stream.created}/${change.key}/${change.revision}/${change.value}`);
          expect(change.revision).toBeGreaterThan(highest.get(change.key) ?? 0);
          highest.set(change.key, change.revision);
        };
        const lookNow = (): void => {
          for (const change of look(mirror, stream)) highest.set(change.key, change.revision);
          expect(byKey(mirror.entries(''))).toEqual(byKey(stream.entries));
        };
        lookNow();
        steps.forEach(({ act, key, fate }, i) => {
          if (act === 'look') lookNow();
          if (act === 'interrupt') mirror.interrupt();
          if (act === 'expire') stream.messages.delete(key);
          if (act === 'recreate') {
            // The connection is lost with the stream, or the next look finds another creation time.
            stream = new Stream(`${i}`);
            delayed = [];
            mirror.interrupt();
            lookNow();
            highest.clear();
          }
          if (act !== 'write' && act !== 'delete') return;
          const push = stream.write(key, act === 'write' ? `${i}` : undefined);
          note(push);
          if (fate === 'delay') delayed.push(push);
          else if (fate !== 'lose') hear(mirror.push(push));
          if (fate === 'twice') hear(mirror.push(push));
          if (fate === 'push') for (const late of delayed.splice(0)) hear(mirror.push(late));
        });
        lookNow();
      }),
      { numRuns: 300 },
    );
  });
});
