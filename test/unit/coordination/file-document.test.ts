import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  changesBetween,
  emptyDocument,
  entriesOf,
  entryOf,
  type FileDocument,
  parseDocument,
  renderDocument,
  withoutFuture,
  type Write,
  writeEntry,
} from '../../../src/coordination/file-document.ts';
import { anyCharacter } from '../../support/any-character.ts';

const write = (document: FileDocument, write: Omit<Write, 'nowMs'> & { nowMs?: number }): FileDocument => {
  const next = writeEntry(document, { nowMs: 0, ...write });
  if (next === 'conflict') throw new Error('conflict');
  return next;
};
const empty = emptyDocument('one');

describe('the contents of a store file', () => {
  it('survive being written and read, whatever the keys and values', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string({ unit: anyCharacter }))), (pairs) => {
        let document = empty;
        for (const [key, value] of pairs) document = write(document, { key, value });
        expect(parseDocument(renderDocument(document))).toEqual(document);
        expect(entriesOf(document, '', 0)).toHaveLength(new Set(pairs.map(([key]) => key)).size);
      }),
    );
  });

  it.each(['__proto__', 'constructor', 'toString'])('hold a key named %s like any other', (key) => {
    const document = write(empty, { key, value: '1' });
    expect(entryOf(parseDocument(renderDocument(document)) ?? empty, key, 0)?.value).toBe('1');
    expect(entryOf(empty, key, 0)).toBeUndefined();
  });

  it.each(['', '{', '[]', '{"schema":1}', '{"schema":2,"incarnation":"x","revision":0,"entries":[]}'])(
    'are refused when they are not whole: %j',
    (text) => expect(parseDocument(text)).toBeUndefined(),
  );

  it('drop what has expired and forget old deletions', () => {
    let document = write(empty, { key: 'dies', value: '1', ttlMs: 10 });
    for (let i = 0; i < 1_200; i++) {
      document = write(document, { key: `k${i}`, value: '1' });
      document = write(document, { key: `k${i}`, value: null, nowMs: 20 });
    }
    expect(document.entries.size).toBeLessThanOrEqual(501);
    expect(document.entries.has('dies')).toBe(false);
    expect(document.entries.has('k1199')).toBe(true);
  });
});

describe('a clock that is set back', () => {
  const lease = write(empty, { key: 'lease', value: 'dead', ttlMs: 15_000, nowMs: 3_600_000 });
  const at = (nowMs: number) => withoutFuture(lease, { nowMs, ttlMs: 15_000 });

  it('by hours ends what was written before, and is told to readers', () => {
    const now = at(5_000);
    expect(entryOf(now, 'lease', 5_000)).toBeUndefined();
    const changes = changesBetween({ document: lease, atMs: 3_600_000 }, { document: now, atMs: 5_000 });
    expect(changes).toEqual([{ key: 'lease', value: undefined, revision: 1, expired: true }]);
    expect(writeEntry(now, { key: 'lease', value: 'mine', expected: 0, nowMs: 5_000 })).not.toBe('conflict');
  });

  it('by less than an entry lives, or not at all, ends nothing', () => {
    expect(at(3_600_000)).toBe(lease);
    expect(at(3_590_000)).toBe(lease);
  });
});

describe('a write', () => {
  const one = write(empty, { key: 'k', value: 'a', ttlMs: 100 });

  it.each([
    ['creation of a missing key', empty, 0, 0, true],
    ['creation of a living key', one, 0, 0, false],
    ['creation of an expired key', one, 0, 100, true],
    ['creation of a deleted key', write(one, { key: 'k', value: null }), 0, 0, true],
    ['update under the last revision', one, 1, 0, true],
    ['update under the last revision of an expired key', one, 1, 100, false],
    ['update under another revision', one, 2, 0, false],
    ['unconditional write', one, undefined, 0, true],
  ])('as %s is decided by the revision', (_, document, expected, nowMs, accepted) => {
    expect(writeEntry(document, { key: 'k', value: 'b', expected, nowMs }) !== 'conflict').toBe(accepted);
  });

  it('never uses a revision twice', () => {
    const deleted = write(one, { key: 'k', value: null });
    expect([one, deleted, write(deleted, { key: 'k', value: 'b' })].map((d) => d.revision)).toEqual([1, 2, 3]);
  });
});

describe('the changes between two readings', () => {
  it('are writes, deletions and expiries, oldest first', () => {
    let before = write(empty, { key: 'gone', value: '1' });
    before = write(before, { key: 'same', value: '1' });
    before = write(before, { key: 'dies', value: '1', ttlMs: 10 });
    let after = write(before, { key: 'new', value: '2', nowMs: 5 });
    after = write(after, { key: 'gone', value: null, nowMs: 5 });
    expect(changesBetween({ document: before, atMs: 0 }, { document: after, atMs: 20 })).toEqual([
      { key: 'new', value: '2', revision: 4 },
      { key: 'gone', value: undefined, revision: 5 },
      { key: 'dies', value: undefined, revision: 5, expired: true },
    ]);
  });

  it('are told once', () => {
    const document = write(empty, { key: 'dies', value: '1', ttlMs: 10 });
    const at = (atMs: number) => ({ document, atMs });
    expect(changesBetween(at(0), at(20))).toHaveLength(1);
    expect(changesBetween(at(20), at(40))).toEqual([]);
  });

  it('bring a reader who missed any number of writes to the same entries', () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), value: fc.option(fc.string(), { freq: 3 }) });
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 40 }), (steps) => {
        let [document, told] = [empty, empty];
        const known = new Map<string, string>();
        for (const [{ key, value }, reads] of [...steps, [{ key: 'end', value: 'x' }, true] as const]) {
          document = write(document, { key, value });
          if (!reads) continue;
          for (const change of changesBetween({ document: told, atMs: 0 }, { document, atMs: 0 }))
            if (change.value === undefined) known.delete(change.key);
            else known.set(change.key, change.value);
          told = document;
        }
        expect(known).toEqual(new Map(entriesOf(document, '', 0).map((entry) => [entry.key, entry.value])));
      }),
    );
  });
});
