import { describe, expect, it } from 'vitest';
import type { Difference } from '../../../src/agent/preflight/difference.ts';
import { mappingDrift, persisting } from '../../../src/agent/preflight/mapping-drift.ts';

const of = (path: string, source: string, target: string): Difference => ({ path, source, target });
const dynamic = { properties: {} };
const ignoring = { dynamic: 'false', properties: {} };
const drift = (baseline: Difference[], now: Difference[], followerMappings: Record<string, unknown> = dynamic) =>
  mappingDrift({ baseline, now, follower: 'target', followerMappings }).map(({ path }) => path);

describe('the drift of mappings', () => {
  it.each<[string, Difference[], Difference[], string[]]>([
    ['nothing when nothing differs', [], [], []],
    ['nothing of what differed at first', [of('a.type', 'x', 'y')], [of('a.type', 'x', 'y')], []],
    ['nothing when a difference has gone', [of('a.type', 'x', 'y')], [], []],
    ['a field that was alike and is not any more', [], [of('a.ignore_above', '10', '20')], ['a.ignore_above']],
    ['a new field that both sides map differently', [], [of('a.type', 'date', 'text')], ['a.type']],
    ['a new field on the follower only', [], [of('a.type', 'absent', 'text')], ['a.type']],
    ['a new field on the authority that never reaches the follower', [], [of('a.type', 'text', 'absent')], ['a.type']],
    ['a field that differed and was changed', [of('a.x', '1', '2')], [of('a.x', '1', '3')], ['a.x']],
    [
      'nothing of a field that the follower lacked and then guessed',
      [of('a.type', 'date', 'absent')],
      [of('a.type', 'date', 'text')],
      [],
    ],
  ])('tells %s', (_what, baseline, now, told) => {
    expect(drift(baseline, now)).toEqual(told);
  });

  it('does not expect new fields on a follower that ignores them, and still tells fields that only it has', () => {
    const now = [of('a.type', 'text', 'absent'), of('b.type', 'absent', 'text')];
    expect(drift([], now, ignoring)).toEqual(['b.type']);
    expect(drift([], now, { dynamic: 'strict' })).toEqual(['b.type']);
  });

  it.each<[string, Difference[], string[]]>([
    [
      'guessed as a text',
      [
        of('o.a.fields.keyword.ignore_above', '256', 'absent'),
        of('o.a.fields.keyword.type', '"keyword"', 'absent'),
        of('o.a.type', '"text"', 'absent'),
      ],
      [],
    ],
    ['guessed as a number', [of('a.type', '"long"', 'absent')], []],
    ['that no guess makes', [of('a.type', '"scaled_float"', 'absent')], ['a.type']],
    [
      'guessed, and changed by somebody',
      [of('a.index', 'false', 'absent'), of('a.type', '"long"', 'absent')],
      ['a.index', 'a.type'],
    ],
    ['guessed on the authority and otherwise on the follower', [of('a.type', '"long"', '"text"')], ['a.type']],
    ['that only the follower has, however it looks', [of('a.type', 'absent', '"long"')], ['a.type']],
  ])('expects that a refused write leaves a field on the authority alone: one %s', (_what, now, told) => {
    expect(drift([], now)).toEqual(told);
  });

  it('takes fields on one side only for the doing of a transform, and still tells what was changed in others', () => {
    const now = [
      of('new.type', 'absent', '"keyword"'),
      of('new.ignore_above', 'absent', '10'),
      of('old.type', '"scaled_float"', 'absent'),
      of('both.ignore_above', 'absent', '10'),
      of('kind.type', '"long"', '"text"'),
    ];
    const told = mappingDrift({ baseline: [], now, follower: 'target', followerMappings: dynamic, transformed: true });
    expect(told.map(({ path }) => path)).toEqual(['both.ignore_above', 'kind.type']);
  });

  it('takes as lasting only what was there at the look before, with the same values', () => {
    const before = [of('a.type', 'text', 'absent'), of('b.type', 'text', 'date')];
    const now = [of('a.type', 'text', 'absent'), of('b.type', 'text', 'long'), of('c.type', 'absent', 'text')];
    expect(persisting(before, now)).toEqual([of('a.type', 'text', 'absent')]);
  });
});
