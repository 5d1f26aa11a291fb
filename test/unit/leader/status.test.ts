import { describe, expect, it } from 'vitest';
import type { GateFacts } from '../../../src/agent/leader/gate.ts';
import { emptyJob, newWork } from '../../../src/agent/leader/job-state.ts';
import { buildStatus, type StatusInput } from '../../../src/agent/leader/status.ts';
import { initialPhase, type Phase, phases } from '../../../src/coordination/records.ts';

const gate = (phase: Phase): GateFacts => ({
  record: { ...initialPhase, phase },
  paused: false,
  backfillDone: false,
  tail: { hasRun: true, behind: 7, lagSeconds: 90, maxLagSeconds: 3 },
  quarantined: 1,
  sweepPending: true,
  proofAgeSeconds: undefined,
  maxProofAgeSeconds: 120,
  verdict: 'inconclusive',
  members: { live: 1, behind: [], outOfReach: [], plainWriters: [] },
  byQuery: [],
  health: { source: 'green', target: 'green' },
  unaccountedGrowing: false,
  unanswered: [],
  alarms: [],
  unsettled: undefined,
  storeConnected: true,
  stop: false,
});

/** A stay in `dual` was left in the middle of its backfill; what the job remembers stays until the next one. */
const leftBehind = (phase: Phase): StatusInput => ({
  at: '2026-01-01T00:00:00Z',
  leader: 'gateway-0',
  slug: 'products',
  record: { ...initialPhase, phase },
  job: {
    ...emptyJob,
    work: {
      ...newWork({ reign: 1, authority: 'source', epoch: 1 }),
      backfill: 'running',
      proof: { at: '2026-01-01T00:00:00Z', equal: true, counts: [] },
    },
  },
  work: {
    backfill: { record: undefined, remaining: 40, open: 0, rate: 900, state: 'running' },
    tail: { state: 'running', behind: 7, lagSeconds: 90, detail: undefined, copied: 1 },
    sweep: { running: true, scanned: 1, total: 2, removed: 0, detail: 'p1: busy' },
    unaccounted: 3,
  },
  gate: gate(phase),
  missing: [],
  percentRead: 0,
  percentShadow: 0,
  quarantines: [],
  verdict: undefined,
});

const workFields = ['backfill', 'tail', 'sweep', 'proof', 'ledger', 'quarantine', 'nextSwitch'];

describe('the status of a route', () => {
  for (const phase of phases) {
    const copies = phase === 'dual' || phase === 'target';
    it(`in ${phase} ${copies ? 'tells of' : 'shows nothing of an earlier stay as'} the work under way`, () => {
      const status = buildStatus(leftBehind(phase));
      expect(workFields.filter((field) => field in status)).toEqual(copies ? workFields : []);
      expect(status.gate.length > 0).toBe(copies);
    });
  }

  it.each<[string, string | undefined, boolean]>([
    ['as soon as its last switch has come to its end', undefined, true],
    ['not while aliases of earlier epochs are open, as finalize is refused then', 'the aliases are open', false],
  ])('in target is safe to advance %s', (_, unsettled, ok) => {
    const input = leftBehind('target');
    const { safeToAdvance } = buildStatus({ ...input, gate: { ...input.gate, unsettled } });
    expect(safeToAdvance).toEqual({ ok, reasons: unsettled === undefined ? [] : [unsettled] });
  });
});

describe('the stage of a route in dual after a switch that was given up', () => {
  const lastCutover = { at: '', kind: 'cutover', result: 'aborted', stepsMs: {} } as const;
  const stageAt = (epoch: number, firstEpoch: number | undefined) => {
    const input = leftBehind('dual');
    const work =
      firstEpoch === undefined ? undefined : { ...newWork({ reign: 1, authority: 'source', epoch: firstEpoch }) };
    const { work: _, ...job } = input.job;
    const record = { ...input.record, epoch };
    const status = buildStatus({ ...input, record, job: { ...job, lastCutover, ...(work && { work }) } });
    expect(status.lastCutover).toEqual(lastCutover);
    return status.stage;
  };

  it.each([
    ['Aborted in the same stay', 9, 5, 'Aborted'],
    ['that of its own work in the next stay', 9, 9, 'DualWrite'],
    ['that of its own work before the next stay has begun any', 9, undefined, 'DualWrite'],
  ] as const)('is %s', (_title, epoch, firstEpoch, stage) => {
    expect(stageAt(epoch, firstEpoch)).toBe(stage);
  });
});
