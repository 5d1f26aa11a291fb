import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Change, RouteState } from '../../../src/coordination/ports.ts';
import { initialPhase, ownRevision, type PhaseRecord } from '../../../src/coordination/records.ts';
import {
  absences,
  alarmsOf,
  changesOf,
  emptyFold,
  errorsIn,
  foldChanges,
  rebase,
  type RouteFold,
  regressions,
  routesWithoutSpec,
  statesOf,
  unwritten,
} from '../../../src/coordination/route-state.ts';

const spec = (route = 'products', index = 'products_v1'): string =>
  JSON.stringify({ route, indices: [{ source: index, target: 'products_v2' }] });
const phase = (record: Partial<PhaseRecord> = {}): string => JSON.stringify({ ...initialPhase, ...record });
const put = (field: string, value: string, revision: number): Change => ({
  key: `rt.products.${field}`,
  value,
  revision,
});
const del = (field: string, revision: number): Change => ({ key: `rt.products.${field}`, value: undefined, revision });
const fold = (...changes: Change[]): RouteFold => foldChanges(emptyFold, changes);
const products = (folded: RouteFold): RouteState => {
  const state = statesOf(folded).get('products');
  if (state === undefined) throw new Error('no state');
  return state;
};
const dual = phase({ phase: 'dual', epoch: 1 });

describe('a route', () => {
  it('has defaults in everything that nobody set', () => {
    expect(products(fold(put('cfg', spec(), 3)))).toMatchObject({
      specRevision: 3,
      phase: initialPhase,
      phaseRevision: 0,
      percent: { read: 0, shadow: 0, write: 100 },
      stop: false,
      rate: undefined,
      errors: [],
    });
  });

  it('takes every key that was set', () => {
    const state = products(
      fold(
        put('cfg', spec(), 1),
        put('phase', dual, 2),
        put('pct.read', '25\n', 3),
        put('pct.shadow', '50 %', 4),
        put('pct.write', '10', 5),
        put('stop', 'on', 6),
        put('rate', 'pause', 7),
      ),
    );
    expect(state).toMatchObject({
      phase: { phase: 'dual', epoch: 1 },
      phaseRevision: 2,
      percent: { read: 25, shadow: 50, write: 10 },
      stop: true,
      rate: 'pause',
      errors: [],
    });
  });

  it('does not exist before its spec is known, and is then reported as missing while it is not off', () => {
    const folded = fold(put('phase', dual, 2), put('pct.read', '25', 3));
    expect(statesOf(folded).size).toBe(0);
    expect(routesWithoutSpec(folded)).toEqual(['products']);
    expect(routesWithoutSpec(fold(put('phase', phase(), 2)))).toEqual([]);
  });

  it.each([
    ['rubbish', [put('phase', 'dual', 2)]],
    ['deleted', [del('phase', 2)]],
    ['deleted after it was rubbish', [put('phase', 'dual', 2), del('phase', 3)]],
  ])('is not known, and never off, where its phase is %s and nobody has seen a good one', (_, changes) => {
    const folded = fold(put('cfg', spec(), 1), ...changes);
    expect(statesOf(folded).size).toBe(0);
    expect(routesWithoutSpec(folded)).toEqual(['products']);
    const restored = foldChanges(emptyFold, changesOf(folded));
    expect(routesWithoutSpec(restored)).toEqual(['products']);
    expect(products(foldChanges(folded, [put('phase', dual, 9)])).phase.phase).toBe('dual');
  });

  it('that was deleted as a whole is gone', () => {
    expect(routesWithoutSpec(fold(put('cfg', spec(), 1), del('cfg', 3), del('phase', 2)))).toEqual([]);
    expect(routesWithoutSpec(fold(del('phase', 2)))).toEqual([]);
  });

  it('that was listed before it had a phase is off, whatever somebody writes there', () => {
    const listing = [{ key: 'rt.products.cfg', value: spec(), revision: 1 }];
    const folded = fold(...listing, ...unwritten(emptyFold, listing));
    expect(products(folded)).toEqual(products(fold(...listing)));
    expect(unwritten(folded, listing)).toEqual([]);
    for (const change of [put('phase', 'dual', 2), del('phase', 2)]) {
      const after = foldChanges(folded, [change]);
      expect(products(after)).toMatchObject({ phase: initialPhase, errors: [{ key: 'rt.products.phase' }] });
      expect(products(foldChanges(emptyFold, changesOf(after))).phase).toEqual(initialPhase);
    }
    expect(unwritten(fold(put('phase', 'dual', 2)), listing)).toEqual([]);
    const whole = [...listing, { key: 'rt.products.phase', value: dual, revision: 2 }];
    expect(unwritten(emptyFold, whole)).toEqual([]);
  });

  it('is left as the same object by changes that say nothing new', () => {
    const folded = fold(put('cfg', spec(), 1), put('pct.read', '25', 3));
    expect(foldChanges(folded, [put('pct.read', '25', 3), put('pct.read', '1', 2), put('ask', '{}', 9)])).toBe(folded);
  });
});

describe('rubbish', () => {
  it.each([
    ['pct.read', '25', '25,5'],
    ['pct.read', '25', ''],
    ['pct.shadow', '25', '{}'],
    ['stop', 'on', 'maybe'],
    ['rate', '100', '-1'],
    ['cfg', spec(), '{'],
    ['cfg', spec(), spec('other')],
    ['cfg', spec(), JSON.stringify({ route: 'products', indices: [], extra: 1 })],
    ['phase', dual, 'dual'],
    ['phase', dual, JSON.stringify({ ...JSON.parse(dual), surprise: true })],
  ])('under %s keeps the last good value and shows an error, and the next good value clears it', (field, good, bad) => {
    const before = fold(put('cfg', spec(), 1), put('phase', dual, 2), put(field, good, 3));
    const after = foldChanges(before, [put(field, bad, 4)]);
    expect({ ...products(after), errors: [] }).toEqual(products(before));
    expect(products(after).errors).toEqual([{ key: `rt.products.${field}`, message: expect.any(String) }]);
    expect(products(foldChanges(after, [put(field, good, 5)])).errors).toEqual([]);
  });

  it('under a key that no setting has shows as an error until it is deleted', () => {
    const slip = fold(put('cfg', spec(), 1), put('pct.reed', '25', 2));
    expect(products(slip).errors).toEqual([{ key: 'rt.products.pct.reed', message: expect.any(String) }]);
    expect(products(foldChanges(slip, [del('pct.reed', 3)])).errors).toEqual([]);
  });

  it('is visible even when the route never had a good spec', () => {
    expect(errorsIn(fold(put('cfg', 'nonsense', 1)))).toEqual([{ key: 'rt.products.cfg', message: 'is not JSON' }]);
  });
});

describe('a deletion', () => {
  const set = fold(
    put('cfg', spec(), 1),
    put('phase', dual, 2),
    put('pct.read', '25', 3),
    put('pct.write', '5', 4),
    put('stop', 'on', 5),
    put('rate', '100', 6),
  );

  it.each([
    ['pct.read', { percent: { read: 0, shadow: 0, write: 5 } }],
    ['pct.write', { percent: { read: 25, shadow: 0, write: 100 } }],
    ['stop', { stop: false }],
    ['rate', { rate: undefined }],
  ])('of %s means its default', (field, expected) => {
    expect(products(foldChanges(set, [del(field, 9)]))).toMatchObject({ ...expected, errors: [] });
  });

  it('of the spec is an error while the route is not off, and takes effect once it is', () => {
    const deleted = foldChanges(set, [del('cfg', 9)]);
    expect(products(deleted)).toMatchObject({ specRevision: 1, errors: [{ key: 'rt.products.cfg' }] });
    expect(statesOf(foldChanges(deleted, [put('phase', phase({ epoch: 2 }), 10)])).size).toBe(0);
  });

  it('of the phase changes nothing and is an error', () => {
    expect(products(foldChanges(set, [del('phase', 9)]))).toMatchObject({
      phase: { phase: 'dual' },
      phaseRevision: 2,
      errors: [{ key: 'rt.products.phase' }],
    });
  });

  it('is undone by a later value and not by an earlier one', () => {
    const deleted = foldChanges(set, [del('pct.read', 9)]);
    expect(products(foldChanges(deleted, [put('pct.read', '30', 8)])).percent.read).toBe(0);
    expect(products(foldChanges(deleted, [put('pct.read', '30', 10)])).percent.read).toBe(30);
  });
});

describe('the floor of a phase record', () => {
  it.each([
    [3, 0],
    [4, 0],
    [5, 25],
  ])('voids a percentage written at revision %d (floor 4): %d %%', (revision, expected) => {
    const record = phase({ phase: 'target', epoch: 2, reign: 2, percentFloor: 4 });
    const folded = fold(put('cfg', spec(), 1), put('pct.read', '25', revision), put('phase', record, 6));
    expect(products(folded).percent.read).toBe(expected);
  });

  it('gives pct.write back its default of all, and leaves stop alone', () => {
    const record = phase({ phase: 'target', epoch: 2, reign: 2, percentFloor: 9 });
    const folded = fold(
      put('cfg', spec(), 1),
      put('pct.write', '25', 2),
      put('stop', 'on', 3),
      put('phase', record, 10),
    );
    expect(products(folded)).toMatchObject({ percent: { write: 100 }, stop: true });
  });
});

describe('a phase record that leads backwards', () => {
  const at = (reign: number, epoch: number, revision: number): Change =>
    put('phase', phase({ phase: 'dual', reign, epoch }), revision);

  it.each([
    ['a lower epoch', at(2, 4, 11)],
    ['a lower reign', at(1, 6, 11)],
  ])('by %s is refused with an alarm', (_, change) => {
    const folded = foldChanges(fold(put('cfg', spec(), 1), at(2, 5, 10)), [change]);
    expect(products(folded)).toMatchObject({ phaseRevision: 10, phase: { reign: 2, epoch: 5 } });
    expect(alarmsOf(folded)).toEqual([{ key: 'rt.products.phase', message: expect.stringContaining('goes back') }]);
  });

  it('by its revision alone is a late delivery and ignored without an alarm', () => {
    const folded = foldChanges(fold(put('cfg', spec(), 1), at(2, 5, 10)), [at(2, 6, 9)]);
    expect(products(folded).phaseRevision).toBe(10);
    expect(alarmsOf(folded)).toEqual([]);
  });

  it('stops being alarming when a good record follows', () => {
    const folded = fold(put('cfg', spec(), 1), at(2, 5, 10), at(1, 1, 11), at(2, 6, 12));
    expect(alarmsOf(folded)).toEqual([]);
    expect(products(folded).phaseRevision).toBe(12);
  });
});

describe('a listing', () => {
  const known = fold(put('cfg', spec(), 1), put('pct.read', '25', 3), put('stop', 'on', 4));
  const entry = (field: string, value: string, revision: number) => ({ key: `rt.products.${field}`, value, revision });

  it('without a known key means the key is deleted', () => {
    const gone = absences(known, known, [entry('cfg', spec(), 1), entry('stop', 'on', 4)]);
    expect(gone.map((change) => change.key)).toEqual(['rt.products.pct.read']);
    expect(products(foldChanges(known, gone)).percent.read).toBe(0);
  });

  it('says nothing of a key that changed while it was on its way', () => {
    const now = foldChanges(known, [put('pct.read', '30', 7), put('pct.shadow', '1', 8)]);
    expect(absences(known, now, [entry('cfg', spec(), 1), entry('stop', 'on', 4)])).toEqual([]);
  });

  it('reports a deletion once, not at every poll', () => {
    const deleted = foldChanges(known, [del('pct.read', 9)]);
    expect(absences(deleted, deleted, [entry('cfg', spec(), 1), entry('stop', 'on', 4)])).toEqual([]);
  });

  it('has every percentage void that was set before the record of a commit, however shortly', () => {
    const committed = phase({ phase: 'target', epoch: 4, reign: 2, percentFloor: ownRevision });
    const folded = fold(put('cfg', spec(), 1), put('pct.read', '100', 9), put('phase', committed, 10));
    expect(products(folded)).toMatchObject({ percent: { read: 0 }, phase: { percentFloor: 10 } });
    expect(products(foldChanges(folded, [put('pct.read', '5', 11)])).percent.read).toBe(5);
    expect(products(foldChanges(emptyFold, changesOf(folded)))).toEqual(products(folded));
  });

  it('leaves in force what the store has lost, and voids what a switch had voided', () => {
    const target = phase({ phase: 'target', epoch: 4, reign: 2, percentFloor: 50 });
    const before = fold(
      put('cfg', spec(), 1),
      put('phase', target, 60),
      put('pct.read', '90', 40),
      put('pct.shadow', '5', 61),
      put('stop', 'on', 62),
      put('rate', '7', 63),
      del('rate', 64),
    );
    for (const [end, write] of [
      [30, 31],
      [61, 65],
    ] as const) {
      const after = rebase(before, { end, kept: end }, []);
      expect(products(after)).toMatchObject({ percent: { read: 0, shadow: 5 }, stop: true, phaseRevision: 60 });
      expect(products(after).rate).toBeUndefined();
      expect(absences(after, after, []).map(({ key }) => key)).not.toContain('rt.products.stop');
      const news = [put('pct.read', '3', write), put('stop', 'off', write + 1), put('rate', '9', write + 2)];
      expect(products(foldChanges(after, news))).toMatchObject({ percent: { read: 3 }, stop: false, rate: 9 });
      expect(products(foldChanges(after, [put('pct.read', '80', 30)])).percent.read).toBe(0);
      expect(products(foldChanges(emptyFold, changesOf(after)))).toEqual(products(after));
    }
  });

  it('with a lower revision than was applied shows that the store lost writes', () => {
    expect(regressions(known, [entry('pct.read', '10', 2), entry('stop', 'on', 4)])).toEqual([
      { key: 'rt.products.pct.read', message: expect.stringContaining('revision 2') },
    ]);
  });
});

describe('delivery', () => {
  /** A history as a leader and people write it: epochs and reigns never fall, some values are rubbish or deletions. */
  const history = fc
    .array(
      fc.record({
        field: fc.constantFrom('cfg', 'phase', 'pct.read', 'pct.shadow', 'stop', 'rate'),
        kind: fc.constantFrom('good', 'good', 'good', 'rubbish', 'deleted'),
        n: fc.nat(100),
      }),
      { maxLength: 25 },
    )
    .map((steps) => {
      let epoch = 0;
      return steps.map(({ field, kind, n }, i): Change => {
        if (field === 'phase') epoch += n % 3;
        const good: Record<string, string> = {
          cfg: spec('products', `products_v${n}`),
          phase: phase({ phase: n % 2 ? 'dual' : 'off', epoch, reign: 1 + (epoch >> 2), percentFloor: n % 4 ? 0 : i }),
          'pct.read': `${n}`,
          'pct.shadow': `${n} %\n`,
          stop: n % 2 ? 'on' : 'off',
          rate: `${n + 1}`,
        };
        const value = kind === 'deleted' ? undefined : kind === 'rubbish' ? 'rubbish!' : good[field];
        return { key: `rt.products.${field}`, value, revision: i + 1 };
      });
    });
  const view = (folded: RouteFold) => ({ states: [...statesOf(folded)], alarms: alarmsOf(folded) });

  it('may reorder and repeat: everybody ends with the same states', () => {
    const runs = history.chain((changes) =>
      fc.record({
        changes: fc.constant(changes),
        extra: fc.array(fc.nat(Math.max(0, changes.length - 1)), { maxLength: 20 }),
        order: fc.array(fc.nat(), { minLength: changes.length + 20, maxLength: changes.length + 20 }),
      }),
    );
    fc.assert(
      fc.property(runs, ({ changes, extra, order }) => {
        const repeated = changes.length === 0 ? [] : [...changes, ...extra.map((i) => changes[i] as Change)];
        const shuffled = repeated
          .map((change, i) => ({ change, at: order[i] ?? 0 }))
          .sort((a, b) => a.at - b.at)
          .map(({ change }) => change);
        expect(view(fold(...shuffled))).toEqual(view(fold(...changes)));
      }),
    );
  });

  it('never lowers the applied reign, epoch or revision, whatever is written', () => {
    const writes = fc.array(
      fc.record({ reign: fc.integer({ min: 1, max: 4 }), epoch: fc.nat(6), revision: fc.integer({ min: 1, max: 30 }) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(writes, (records) => {
        let folded = fold(put('cfg', spec(), 1));
        for (const { reign, epoch, revision } of records) {
          const before = products(folded);
          folded = foldChanges(folded, [put('phase', phase({ phase: 'dual', reign, epoch }), revision)]);
          const after = products(folded);
          expect(after.phaseRevision).toBeGreaterThanOrEqual(before.phaseRevision);
          expect(after.phase.reign).toBeGreaterThanOrEqual(before.phase.reign);
          expect(after.phase.epoch).toBeGreaterThanOrEqual(before.phase.epoch);
        }
      }),
    );
  });

  it('from the cache gives the same states as the store gave', () => {
    fc.assert(
      fc.property(history, (changes) => {
        const folded = fold(...changes);
        const restored = statesOf(foldChanges(emptyFold, changesOf(folded)));
        const withoutErrors = (states: ReadonlyMap<string, RouteState>) =>
          [...states].map(([slug, state]) => [slug, { ...state, errors: [] }]);
        expect(withoutErrors(restored)).toEqual(withoutErrors(statesOf(folded)));
      }),
    );
  });
});
