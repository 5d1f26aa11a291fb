import { describe, expect, it } from 'vitest';
import { aliasActions, fenceThrough, openEpoch, prepareSwitch } from '../../../src/agent/leader/epochs.ts';
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
      ...prepareSwitch(spec, 2, { from: 'source', side }).keys(),
    ]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('prepares the epoch of the commit and the one of the way back', () => {
    expect(
      flat(prepareSwitch({ ...spec, indices: spec.indices.slice(0, 1) }, 2, { from: 'source', side: 'source' })),
    ).toEqual({
      'crossfade-products-c2': 'a_v1',
      'crossfade-products-e3': 'a_v1',
    });
  });

  it('prepares for the way back what the next switch would open anyway', () => {
    const wayBack = prepareSwitch(spec, 2, { from: 'source', side: 'source' });
    const next = prepareSwitch(spec, 3, { from: 'target', side: 'source' });
    for (const [alias, index] of next) if (wayBack.has(alias)) expect(wayBack.get(alias)).toBe(index);
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
      { [fenceIndex]: ['x'] },
      [
        { remove: { index: fenceIndex, alias: 'x' } },
        { add: { index: 'a_v1', alias: 'x', is_write_index: true, is_hidden: true } },
      ],
    ],
    ['removes a second holder', { a_v1: ['x'], other: ['x'] }, [{ remove: { index: 'other', alias: 'x' } }]],
  ];
  for (const [title, current, actions] of diffs) {
    it(title, () => expect(aliasActions(current, new Map([['x', 'a_v1']]))).toEqual(actions));
  }
});
