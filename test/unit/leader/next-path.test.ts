import { describe, expect, it } from 'vitest';
import { observe, openLedger } from '../../../src/agent/ledger.ts';
import { goneFrom, nextSwitch, type PathFacts } from '../../../src/agent/leader/next-path.ts';

const sample = { member: 'pod-1', boot: 'b1', reign: 1, ledger: [5], unclear: 2 };
const ledger = openLedger(1, [9], [sample]);
const facts: PathFacts = { work: { ledger, ledgerEvents: 3 }, events: { a: 2, b: 1 }, unaccounted: 0, missing: [] };

describe('the path of the next switch', () => {
  it('is fast when the ledger vouches for everything since it was opened', () => {
    expect(nextSwitch(facts)).toEqual({ path: 'fast', reasons: [] });
  });

  it.each<[string, Partial<PathFacts>, RegExp]>([
    ['no proof has opened a ledger', { work: { ledger: undefined, ledgerEvents: 0 } }, /opened the ledger/],
    ['a member has left', { missing: ['pod-2'] }, /^pod-2 left/],
    ['an answer was lost since', { events: { a: 2, b: 2 } }, /^1 by-query/],
    ['nobody accounts for writes', { unaccounted: 4 }, /^4 writes/],
    [
      'writes were left to the tail',
      { work: { ledger: observe(ledger, { ...sample, left: [2] }), ledgerEvents: 3 } },
      /^2 writes were left/,
    ],
    ['nobody has been heard yet', { unaccounted: undefined }, /^not yet known/],
    [
      'a copy may still arrive',
      { work: { ledger: observe(ledger, { ...sample, unclear: 3 }), ledgerEvents: 3 } },
      /^1 requests with copies/,
    ],
    [
      'a member counts backwards',
      { work: { ledger: observe(ledger, { ...sample, ledger: [4] }), ledgerEvents: 3 } },
      /pod-1 counted backwards/,
    ],
  ])('is fenced, with the reason, when %s', (_, change, reason) => {
    const { path, reasons } = nextSwitch({ ...facts, ...change });
    expect({ path, count: reasons.length }).toEqual({ path: 'fenced', count: 1 });
    expect(reasons[0]).toMatch(reason);
  });

  it('knows by its boot who has gone, whoever has taken the name', () => {
    expect(goneFrom(ledger, new Set(['b2']))).toEqual(['pod-1']);
    expect(goneFrom(ledger, new Set(['b1']))).toEqual([]);
  });
});
