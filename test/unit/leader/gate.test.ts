import { describe, expect, it } from 'vitest';
import { answerOf, type GateFacts, gateConditions } from '../../../src/agent/leader/gate.ts';
import { initialPhase } from '../../../src/coordination/records.ts';

const good: GateFacts = {
  record: { ...initialPhase, phase: 'dual', epoch: 1 },
  paused: false,
  stop: false,
  backfillDone: true,
  tail: { hasRun: true, behind: 0, lagSeconds: 0, maxLagSeconds: 3 },
  quarantined: 0,
  sweepPending: false,
  proofAgeSeconds: 5,
  maxProofAgeSeconds: 600,
  verdict: 'hold',
  members: { live: 2, behind: [], outOfReach: [], plainWriters: [] },
  byQuery: [],
  health: { source: 'green', target: 'yellow' },
  unaccountedGrowing: false,
  unanswered: [],
  alarms: [],
  unsettled: undefined,
  storeConnected: true,
};
const held = { to: 'target', rehearsal: false, budgetMs: 1, graceMs: 1 } as const;

/** Each way in which a switch is not safe, and the condition that says so. */
const bad: [string, Partial<GateFacts>][] = [
  ['store connected', { storeConnected: false }],
  ['not paused', { paused: true }],
  ['stop is off', { stop: true }],
  ['no switch under way', { record: { ...good.record, hold: held } }],
  ['members alive and in phase', { members: { ...good.members, live: 0 } }],
  ['members alive and in phase', { members: { ...good.members, behind: ['pod-1'] } }],
  ['nobody writes past the aliases', { members: { ...good.members, plainWriters: ['pod-4'] } }],
  ['backfill complete', { backfillDone: false }],
  ['tail caught up', { tail: { hasRun: true, behind: 900, lagSeconds: 4, maxLagSeconds: 3 } }],
  ['tail caught up', { tail: { ...good.tail, hasRun: false } }],
  ['quarantine empty', { quarantined: 1 }],
  ['no sweep pending', { sweepPending: true }],
  ['proof clean and recent', { proofAgeSeconds: undefined }],
  ['proof clean and recent', { proofAgeSeconds: 601 }],
  ['no by-query or reindex running', { byQuery: [{ member: 'pod-2', running: 1 }] }],
  ['verdict', { verdict: 'rollback' }],
  ['nobody writes past the sidecars', { unaccountedGrowing: true }],
  ['source healthy', { health: { source: 'red', target: 'green' } }],
  ['target healthy', { health: { source: 'green', target: 'unreachable' } }],
  ['no alarms', { alarms: ['index products_v1 was recreated'] }],
];

describe('switch gate', () => {
  it('says yes without reasons when every condition holds', () => {
    expect(answerOf(gateConditions('cutover', good))).toEqual({ ok: true, reasons: [] });
  });

  for (const [condition, change] of bad) {
    it(`says no and names "${condition}" for ${JSON.stringify(change)}`, () => {
      const conditions = gateConditions('cutover', { ...good, ...change });
      expect(conditions.filter(({ ok }) => !ok).map((row) => row.condition)).toEqual([condition]);
      expect(answerOf(conditions)).toMatchObject({ ok: false, reasons: [expect.stringContaining(condition)] });
    });
  }

  it('lets growth pass while a lost member can explain it, and says which', () => {
    const members = { ...good.members, outOfReach: ['pod-3'] };
    const conditions = gateConditions('cutover', { ...good, members, unaccountedGrowing: true });
    expect(answerOf(conditions).ok).toBe(true);
    expect(conditions.find(({ condition }) => condition === 'nobody writes past the sidecars')).toMatchObject({
      value: 'growing while pod-3 is out of reach',
    });
    const steady = gateConditions('cutover', { ...good, members });
    expect(steady.find(({ condition }) => condition === 'nobody writes past the sidecars')?.value).toBe('steady');
  });

  it('says whose by-query runs, and whose unanswered requests may be the growth', () => {
    const byQuery = [
      { member: 'pod-1', running: 2 },
      { member: 'pod-3', running: 1 },
    ];
    const conditions = gateConditions('cutover', { ...good, byQuery, unaccountedGrowing: true, unanswered: ['pod-2'] });
    expect(answerOf(conditions).reasons).toEqual([
      'no by-query or reindex running: 2 at pod-1, 1 at pod-3 (needs 0)',
      'nobody writes past the sidecars: growing, perhaps by requests of pod-2 without an answer (needs steady, or a member out of reach)',
    ]);
  });

  it('lets a rollback through when the verdict is bad, because that is when it is wanted', () => {
    expect(answerOf(gateConditions('rollback', { ...good, verdict: 'rollback' })).ok).toBe(true);
  });

  it('lets a rollback through while stop is on, which asks for it', () => {
    expect(answerOf(gateConditions('rollback', { ...good, stop: true })).ok).toBe(true);
  });

  it('lets a rollback through though somebody may write to the source, and tells before a cutover how to go on', () => {
    const facts = { ...good, members: { ...good.members, plainWriters: ['pod-4'] } };
    expect(answerOf(gateConditions('rollback', facts)).ok).toBe(true);
    expect(answerOf(gateConditions('cutover', facts)).reasons.join()).toContain('crossfade forget pod-4');
  });
});
