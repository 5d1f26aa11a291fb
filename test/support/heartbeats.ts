/** Members as a leader knows them, for tests of what it makes of them. */
import { type Membership, noMembers } from '../../src/coordination/membership.ts';
import type { Heartbeat, MemberRoute } from '../../src/coordination/records.ts';

export const memberLine = (over: Partial<MemberRoute> = {}): MemberRoute => ({
  phaseRevision: 10,
  epoch: 2,
  phase: 'dual',
  held: false,
  drained: true,
  inFlight: 0,
  pendingCopies: 0,
  pendingBytes: 0,
  oldestPendingMs: 0,
  dropped: 0,
  quarantined: 0,
  unknownOutcomes: 0,
  sweepNeeded: 0,
  byQuery: 0,
  ledger: [0],
  reign: 1,
  percent: { read: 0, shadow: 0, write: 100 },
  compared: 0,
  mismatched: 0,
  skipped: 0,
  verdict: 'inconclusive',
  errors: [],
  ...over,
});

/** Of a process whose start has the name of its member. */
export const heartbeatOf = (member: string, routes: Heartbeat['routes'] = {}): Heartbeat => ({
  schema: 1,
  member,
  boot: member,
  version: '1',
  stale: false,
  routes,
});

/** Watched for long, by member: what it reports of its routes. */
export const heardFrom = (reports: Record<string, Heartbeat['routes']>): Membership => ({
  ...noMembers,
  watchingSinceMs: -60_000,
  members: new Map(
    Object.entries(reports).map(([member, routes]) => [
      member,
      {
        member,
        revision: 1,
        seenAtMs: 0,
        heartbeat: heartbeatOf(member, routes),
        unreadable: undefined,
        formerBoots: [],
        contestedAtMs: undefined,
      },
    ]),
  ),
});
