import { describe, expect, it } from 'vitest';
import { openLedger } from '../../../src/agent/ledger.ts';
import { outOfReach } from '../../../src/agent/leader/out-of-reach.ts';
import { type Membership, type MemberView, noMembers } from '../../../src/coordination/membership.ts';

const sample = (member: string, boot: string) => ({ member, boot, reign: 1, ledger: [0] });
const ledger = openLedger(1, [0], [sample('pod-1', 'b1'), sample('pod-2', 'b2')]);
const present = (member: string, boot: string): [string, MemberView] => [
  member,
  {
    member,
    revision: 1,
    seenAtMs: 0,
    heartbeat: { schema: 1, member, boot, version: '', stale: false, routes: {} },
    unreadable: undefined,
    formerBoots: [],
    contestedAtMs: undefined,
  },
];
const view = (over: Partial<Membership>): Membership => ({ ...noMembers, ...over });
const lost = new Map([['pod-2', { lostAtMs: 100, boot: 'b2' }]]);
const always = Number.NEGATIVE_INFINITY;

describe('members out of reach', () => {
  const cases: [string, Membership, Parameters<typeof outOfReach>[1], string[]][] = [
    [
      'nobody was lost',
      view({ members: new Map([present('pod-1', 'b1')]) }),
      { ledger, events: {}, since: always, unheard: [] },
      [],
    ],
    ['one was lost', view({ lost }), { ledger: undefined, events: {}, since: always, unheard: [] }, ['pod-2']],
    ['one was lost before the fence', view({ lost }), { ledger: undefined, events: {}, since: 101, unheard: [] }, []],
    [
      'one was lost before this leader looked, and the ledger still counts on it',
      view({ members: new Map([present('pod-1', 'b1')]) }),
      { ledger, events: { 'lost:pod-2/b2': 1 }, since: always, unheard: [] },
      ['pod-2'],
    ],
    [
      'another process took the name of a lost one',
      view({ members: new Map([present('pod-1', 'b1'), present('pod-2', 'b3')]) }),
      { ledger, events: { 'lost:pod-2/b2': 1 }, since: always, unheard: [] },
      ['pod-2'],
    ],
    [
      'one left by itself',
      view({ members: new Map([present('pod-1', 'b1')]) }),
      { ledger, events: { 'pod-2/b2': 3 }, since: always, unheard: [] },
      [],
    ],
    [
      'a lost one has come back',
      view({ members: new Map([present('pod-1', 'b1'), present('pod-2', 'b2')]) }),
      { ledger, events: { 'lost:pod-2/b2': 1 }, since: always, unheard: [] },
      [],
    ],
  ];
  it.each(cases)('are told apart when %s', (_, members, evidence, names) => {
    expect(outOfReach(members, evidence)).toEqual(names);
  });
});
