import { describe, expect, it } from 'vitest';
import {
  aliasActions,
  closeOthers,
  fenceThrough,
  misplaced,
  openEpoch,
  prepareSwitch,
} from '../../../src/agent/leader/epochs.ts';
import { fenceIndex } from '../../../src/coordination/keys.ts';

const spec = {
  route: 'products',
  indices: [
    { source: 'a_v1', target: 'a_v2' },
    { source: 'b_v1', target: 'b_v2' },
  ],
};
const flat = (wanted: ReadonlyMap<string, string>) => Object.fromEntries(wanted);

describe('epoch aliases', () => {
  it('opens the write alias on the authority and the copy alias on the follower', () => {
    expect(flat(openEpoch(spec, 1, { authority: 'source', side: 'source' }))).toEqual({
      'crossfade-products-e1': 'a_v1',
      'crossfade-products-e1-1': 'b_v1',
    });
    expect(flat(openEpoch(spec, 1, { authority: 'source', side: 'target' }))).toEqual({
      'crossfade-products-c1': 'a_v2',
      'crossfade-products-c1-1': 'b_v2',
    });
  });

  it('never gives one name to both sides, so that both may be one cluster', () => {
    const names = (['source', 'target'] as const).flatMap((side) => [
      ...prepareSwitch(spec, 1, { from: 'source', side }).keys(),
    ]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('prepares the epochs of the hold, the commit and the release', () => {
    const one = { ...spec, indices: spec.indices.slice(0, 1) };
    expect(flat(prepareSwitch(one, 1, { from: 'source', side: 'source' }))).toEqual({
      'crossfade-products-c4': 'a_v1',
      'crossfade-products-e5': 'a_v1',
    });
    expect(flat(prepareSwitch(one, 1, { from: 'source', side: 'target' }))).toEqual({
      'crossfade-products-c3': 'a_v2',
      'crossfade-products-e4': 'a_v2',
      'crossfade-products-c5': 'a_v2',
    });
  });

  it('never prepares a name that an earlier switch has prepared, whichever way that one ended', () => {
    const both = (epoch: number, from: 'source' | 'target') =>
      (['source', 'target'] as const).flatMap((side) => [...prepareSwitch(spec, epoch, { from, side }).keys()]);
    const first = new Set(both(1, 'source'));
    for (const name of [...both(4, 'target'), ...both(5, 'source')]) expect(first).not.toContain(name);
  });

  describe('after a switch', () => {
    const one = { route: 'p', indices: [{ source: 's', target: 't' }] };
    const closed = (current: Record<string, string[]>, at: Omit<Parameters<typeof closeOthers>[2], 'firstEpoch'>) =>
      [...closeOthers(current, one, { firstEpoch: 4, ...at }).keys()].sort();
    const name = (...names: string[]) => names.map((short) => `crossfade-p-${short}`);

    it('closes the earlier reign, the tail of the hold and the release that did not come', () => {
      const target = { authority: 'target', epoch: 4 } as const;
      const onSource = name('e1', 'c4', 'e5');
      const onTarget = name('c1', 'c3', 'e4', 'c5', 'authority-e4-r2');
      expect(closed({ s: onSource }, { ...target, side: 'source' })).toEqual(name('e1', 'e5'));
      expect(closed({ t: onTarget }, { ...target, side: 'target' })).toEqual(name('c1', 'c3', 'c5'));
    });

    it('closes the commit that did not come, and leaves this reign its earlier epochs', () => {
      const source = { authority: 'source', epoch: 9, firstEpoch: 5 } as const;
      expect(closed({ s: name('e5', 'c8', 'e9') }, { ...source, side: 'source' })).toEqual(name('c8'));
      expect(closed({ t: name('c5', 'c7', 'e8', 'c9') }, { ...source, side: 'target' })).toEqual(name('e8'));
    });

    it('leaves what a newer leader has prepared alone', () => {
      const source = { authority: 'source', epoch: 5 } as const;
      expect(closed({ t: name('c5', 'c7', 'e8', 'c9') }, { ...source, side: 'target' })).toEqual([]);
    });

    it('leaves the aliases of the other side alone where both sides are one cluster', () => {
      const current = { s: name('e1', 'c4', 'e5'), t: name('c1', 'c3', 'e4', 'c5') };
      const target = { authority: 'target', epoch: 4 } as const;
      expect(closed(current, { ...target, side: 'source' })).toEqual(name('e1', 'e5'));
      expect(closed(current, { ...target, side: 'target' })).toEqual(name('c1', 'c3', 'c5'));
    });
  });

  it('fences every epoch up to the given one and leaves later ones, other routes and client aliases alone', () => {
    const current = {
      a_v1: [
        'products',
        'crossfade-products-e1',
        'crossfade-products-c2',
        'crossfade-products-e3',
        'crossfade-products-authority-e1-r1',
      ],
      b_v1: ['crossfade-products-e1-1', 'crossfade-products-x-e1'],
    };
    expect(flat(fenceThrough(current, 'products', 2))).toEqual({
      'crossfade-products-e1': fenceIndex,
      'crossfade-products-c2': fenceIndex,
      'crossfade-products-e1-1': fenceIndex,
    });
  });

  const diffs: [string, Record<string, string[]>, unknown[]][] = [
    ['adds a missing alias', {}, [{ add: { index: 'a_v1', alias: 'x', is_write_index: true, is_hidden: true } }]],
    ['asks for nothing when the alias stands right', { a_v1: ['x'] }, []],
    [
      'moves an alias in one call',
      { other: ['x'] },
      [
        { remove: { index: 'other', alias: 'x' } },
        { add: { index: 'a_v1', alias: 'x', is_write_index: true, is_hidden: true } },
      ],
    ],
    ['never opens an alias that is fenced', { [fenceIndex]: ['x'] }, []],
    ['removes a second holder', { a_v1: ['x'], other: ['x'] }, [{ remove: { index: 'other', alias: 'x' } }]],
  ];
  for (const [title, current, actions] of diffs) {
    it(title, () => expect(aliasActions(current, new Map([['x', 'a_v1']]))).toEqual(actions));
  }

  it('names what somebody moved, removed or closed, and nothing that stands right', () => {
    const wanted = new Map([...'abcd'].map((alias) => [alias, 'i']));
    expect(misplaced({ i: ['a', 'b'], other: ['b'], [fenceIndex]: ['c'] }, wanted)).toEqual(['b', 'c', 'd']);
  });
});
