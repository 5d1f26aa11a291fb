import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balance, type Ledger, type LedgerSample, observe, openLedger, seqTotal } from '../../../src/agent/ledger.ts';

const sample = (boot: string, ...ledger: number[]): LedgerSample => ({ member: `m-${boot}`, boot, reign: 2, ledger });
const seen = (ledger: Ledger, ...samples: LedgerSample[]): Ledger => samples.reduce(observe, ledger);

describe('the ledger of a reign', () => {
  it('balances when every sequence number is counted by some member', () => {
    const opened = openLedger(2, [100, 50], [sample('a', 7, 1), sample('b', 0, 0)]);
    const now = seen(opened, sample('a', 10, 1), sample('b', 5, 2));
    expect(balance(now, [108, 52])).toMatchObject({ balanced: true, unaccounted: [0, 0] });
  });

  it('takes what was left to the tail as explained, and never as proven', () => {
    const opened = openLedger(2, [100], [{ ...sample('a', 7), left: [2] }]);
    const now = seen(opened, { ...sample('a', 10), left: [6] }, { ...sample('b', 0), left: [1] });
    expect(balance(now, [108])).toMatchObject({ balanced: false, unaccounted: [5], unexplained: [0] });
    expect(balance(now, [110])).toMatchObject({ balanced: false, unexplained: [2] });
    expect(balance(opened, [100])).toMatchObject({ balanced: true, unexplained: [0] });
  });

  it('proves nothing while a copy may still arrive, until it was opened anew behind the fence', () => {
    const opened = openLedger(2, [100], [{ ...sample('a', 7), unclear: 3 }]);
    const same = seen(opened, { ...sample('a', 9), unclear: 3 });
    expect(balance(same, [102])).toMatchObject({ balanced: true, unclear: 0 });
    const grown = seen(same, { ...sample('a', 9), unclear: 4 });
    expect(balance(grown, [102])).toMatchObject({ balanced: false, unclear: 1, unaccounted: [0] });
    const late = seen(same, { ...sample('b', 0), unclear: 1 });
    expect(balance(late, [102])).toMatchObject({ balanced: false, unclear: 1 });
    expect(balance(openLedger(3, [0], [{ ...sample('a', 9), unclear: 4 }]), [0]).balanced).toBe(true);
  });

  it.each([
    ['a write past the sidecars', [109, 52], [1, 0]],
    ['writes past them on the second index', [108, 55], [0, 3]],
    ['fewer numbers than counts', [107, 52], [-1, 0]],
  ])('does not balance with %s', (_why, totals, unaccounted) => {
    const now = seen(openLedger(2, [100, 50], [sample('a', 0, 0)]), sample('a', 8, 2));
    expect(balance(now, totals)).toMatchObject({ balanced: false, unaccounted });
  });

  it('keeps the counts of a member that is gone, and misses what it did after its last heartbeat', () => {
    const now = seen(
      openLedger(2, [0], [sample('a', 0), sample('b', 0)]),
      sample('a', 5),
      sample('b', 3),
      sample('b', 4),
    );
    expect(balance(now, [9]).balanced).toBe(true);
    expect(balance(now, [10]).balanced).toBe(false);
  });

  it('takes a member that restarted as a new boot beside the old one', () => {
    const now = seen(openLedger(2, [0], [sample('a1', 0)]), sample('a1', 5), sample('a2', 0), sample('a2', 3));
    expect(balance(now, [8]).balanced).toBe(true);
  });

  it('is unsure of a member first seen with writes: they may be older than the ledger and hide foreign ones', () => {
    const now = seen(openLedger(2, [0], []), sample('late', 3));
    expect(balance(now, [3])).toMatchObject({ balanced: false, unsure: ['m-late was first seen with writes'] });
  });

  it('is unsure when counts go backwards or a later reign shows', () => {
    const opened = openLedger(2, [0], [sample('a', 0)]);
    expect(balance(seen(opened, sample('a', 2), sample('a', 1)), [2]).balanced).toBe(false);
    expect(balance(seen(opened, { ...sample('a', 0), reign: 3 }), [0]).balanced).toBe(false);
  });

  it('takes counts of an earlier reign for none', () => {
    const opened = openLedger(2, [10], [{ ...sample('a', 99), reign: 1 }]);
    expect(balance(seen(opened, { ...sample('a', 99), reign: 1 }), [10]).balanced).toBe(true);
    expect(balance(seen(opened, sample('a', 4)), [14]).balanced).toBe(true);
  });

  it('never balances while a write is uncounted, whatever the heartbeats looked like before', () => {
    const event = fc.record({ boot: fc.constantFrom('a', 'b', 'c'), beat: fc.boolean(), foreign: fc.boolean() });
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
        let ledger = openLedger(
          2,
          [0],
          Object.keys(counts).map((boot) => sample(boot, 0)),
        );
        let total = 0;
        let foreign = 0;
        for (const { boot, beat, foreign: past } of events) {
          total++;
          if (past) foreign++;
          else counts[boot] = (counts[boot] as number) + 1;
          if (beat) ledger = observe(ledger, sample(boot, counts[boot] as number));
        }
        for (const [boot, count] of Object.entries(counts)) ledger = observe(ledger, sample(boot, count));
        expect(balance(ledger, [total])).toMatchObject({ balanced: foreign === 0, unaccounted: [foreign] });
      }),
    );
  });

  it('counts sequence numbers from zero over all shards', () => {
    expect(seqTotal([{ maxSeqNo: -1 }, { maxSeqNo: 0 }, { maxSeqNo: 9 }])).toBe(11);
  });
});
