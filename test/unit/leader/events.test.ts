import { describe, expect, it } from 'vitest';
import { foldEvents, lostKey, totalEvents, withLost } from '../../../src/agent/leader/events.ts';
import { observeAll } from '../../../src/agent/leader/sequences.ts';
import { balance, openLedger } from '../../../src/agent/ledger.ts';
import { type Membership, noMembers } from '../../../src/coordination/membership.ts';
import { heardFrom, memberLine } from '../../support/heartbeats.ts';

const slug = 'products';
/** With the defaults of NATS a value may have 1 MiB. */
const starts = 5_000;
const line = (sweepNeeded: number, writes = 0) => ({ [slug]: memberLine({ sweepNeeded, ledger: [writes] }) });
const heard = (...boots: string[]): Membership =>
  heardFrom(Object.fromEntries(boots.map((boot) => [boot, line(1, 2)])));
const many = Array.from({ length: starts }, (_, i) => `gateway-7d9f8b6c5-${i}`);
const size = (value: unknown): number => JSON.stringify(value).length;

describe('the events of a migration that has seen thousands of process starts', () => {
  it('take little room, and their total never falls', () => {
    let events: Record<string, number> = {};
    let total = 0;
    for (const boot of many) {
      events = foldEvents(events, heard(boot, 'stays'), slug);
      expect(totalEvents(events)).toBe(++total + 1);
    }
    expect(size(events)).toBeLessThan(20_000);
  });

  it('are brought down to that also when they were kept one by one', () => {
    const kept = Object.fromEntries(many.map((boot) => [`${boot}/${boot}`, 1]));
    const events = foldEvents(kept, heard(), slug);
    expect(totalEvents(events)).toBe(starts);
    expect(size(events)).toBeLessThan(20_000);
  });

  it('are not counted anew, turn after turn, of those that are lost or have left', () => {
    const kept = Object.fromEntries(many.map((boot) => [lostKey(boot, boot), 1]));
    const left = heardFrom({ left: line(1) }).members.get('left')?.heartbeat;
    const view: Membership = {
      ...noMembers,
      lost: new Map(many.slice(0, 300).map((boot) => [boot, { lostAtMs: 0, boot }])),
      departed: new Map(left === undefined ? [] : [['left', left]]),
    };
    const events = foldEvents(kept, view, slug);
    expect(totalEvents(events)).toBe(starts + 1);
    expect(totalEvents(foldEvents(events, view, slug))).toBe(starts + 1);
  });
});

describe('a process that vanishes', () => {
  const vanished: Membership = { ...noMembers, lost: new Map([['a', { lostAtMs: 0, boot: 'a' }]]) };
  const course = (...views: Membership[]): number[] => {
    let events: Record<string, number> = {};
    return views.map((view) => totalEvents((events = foldEvents(events, view, slug))));
  };

  it('counts each time it does, and not while it is heard or stays away', () => {
    expect(course(heard('a'), vanished, vanished, heard('a'), heard('a'), vanished, vanished)).toEqual([
      1, 2, 2, 2, 2, 3, 3,
    ]);
    expect(course(vanished, heard('a'), vanished, heard('a'), vanished)).toEqual([1, 2, 3, 3, 4]);
  });

  it('counts for a leader that never heard it, also when an earlier one has heard it since it counted it', () => {
    const back = foldEvents(foldEvents({}, vanished, slug), heard('a'), slug);
    const lost = [{ member: 'a', boot: 'a' }];
    expect(totalEvents(withLost(back, lost))).toBe(totalEvents(back) + 1);
    expect(withLost(withLost(back, lost), lost)).toEqual(withLost(back, lost));
  });
});

describe('the ledger of a reign that has seen thousands of process starts', () => {
  const seen = many.reduce(
    (ledger, boot) => {
      const begun = observeAll(ledger, heardFrom({ [boot]: line(0) }), slug);
      return observeAll(begun, heardFrom({ [boot]: line(0, 2) }), slug);
    },
    openLedger(1, [0], []),
  );

  it('takes little room, and balances as if each had its line', () => {
    expect(balance(seen, [2 * starts])).toMatchObject({ balanced: true, unaccounted: [0] });
    expect(balance(seen, [2 * starts + 1])).toMatchObject({ balanced: false, unaccounted: [1] });
    expect(size(seen)).toBeLessThan(20_000);
  });

  it('is unsure when one of those that were added up comes back', () => {
    const back = observeAll(seen, heardFrom({ [many[0] as string]: line(0, 3) }), slug);
    expect(balance(back, [2 * starts + 1]).balanced).toBe(false);
  });
});
