import { brakeText } from '../../../src/coordination/effective.ts';
import { describe, expect, it } from 'vitest';
import { renderRoute } from '../../../src/cli/render-status.ts';
import { styleOf } from '../../../src/cli/style.ts';
import { jobStatusName } from '../../../src/coordination/job-status.ts';
import { heartbeatPrefix, keys } from '../../../src/coordination/keys.ts';
import { initialPhase, type Phase } from '../../../src/coordination/records.ts';
import { fleetStatus, type RouteStatus } from '../../../src/fleet/fleet-status.ts';
import { noShadow, routeLine } from '../../../src/app/heartbeat-report.ts';
import { routeState } from '../../support/routes.ts';
import { report } from '../cli/harness.ts';

const store = { connected: true, kind: 'file', detail: '', incarnation: 'i', alarm: undefined } as const;
const admission = {
  phaseRevision: 2,
  epoch: 1,
  held: false,
  heldRequests: 0,
  inFlight: 0,
  byQuery: 0,
  drained: true,
};
const copies = {
  pendingCopies: 0,
  pendingBytes: 0,
  oldestPendingMs: 0,
  dropped: 0,
  quarantined: 0,
  unknownOutcomes: 0,
  sweepNeeded: 0,
  ledger: [],
  reign: 1,
};

type Given = {
  phase?: Phase;
  stop?: boolean;
  backfill?: string | undefined;
  sweep?: Record<string, unknown>;
  mayServe?: readonly boolean[];
  braked?: readonly boolean[];
};

/** What the store holds while 25 % of the reads are wanted on the follower. */
const statusOf = (given: Given): RouteStatus => {
  const { phase = 'dual', stop = false, sweep = { state: 'done' }, mayServe = [false], braked = [] } = given;
  const backfill = 'backfill' in given ? given.backfill : 'running';
  const state = routeState({ phase, stop, percent: { read: 25 } });
  const line = (one: boolean, isBraked = false) =>
    routeLine({ state, mayServe: one, isBraked, admission, copies, unclear: 0, shadow: noShadow, copyProblems: [] });
  const beat = (one: boolean, i: number) => ({
    key: `${heartbeatPrefix}pod-${i}`,
    value: JSON.stringify({
      ...{ schema: 1, member: `pod-${i}`, boot: 'b', version: '1', stale: false },
      routes: { products: line(one, braked[i]) },
    }),
    revision: 1,
  });
  const told = report({ phase, ...(backfill === undefined ? {} : { backfill: { state: backfill, docs: 1 }, sweep }) });
  const config = [
    { key: keys.config('products'), value: JSON.stringify(state.spec), revision: 1 },
    { key: keys.phase('products'), value: JSON.stringify({ ...initialPhase, phase, epoch: 1 }), revision: 2 },
    { key: keys.percent('products', 'read'), value: '25', revision: 3 },
    { key: keys.stop('products'), value: stop ? 'on' : 'off', revision: 4 },
    { key: keys.job('products', jobStatusName), value: told, revision: 5 },
  ];
  const live = mayServe.map(beat);
  const lease = { key: keys.lease('products'), value: JSON.stringify({ member: 'gateway-0' }), revision: 1 };
  const [route] = fleetStatus({ store, config, live: backfill === undefined ? live : [...live, lease] }).routes;
  return route!;
};

describe('a share of reads that is not in force', () => {
  const barrier = 'the backfill is not known to be complete';
  it.each<[string, Given, number, string | null]>([
    ['while no member knows a filled follower', {}, 0, barrier],
    ['without a leader as well', { backfill: undefined }, 0, barrier],
    [
      'while the first sweep runs',
      { backfill: 'done', sweep: { state: 'running' } },
      0,
      'the first sweep is not known to be complete',
    ],
    [
      'while the first sweep cannot run',
      { backfill: 'done', sweep: { state: 'needed', detail: 'p1: busy' } },
      0,
      'the first sweep is not known to be complete: p1: busy',
    ],
    ['not while a later sweep runs', { backfill: 'done', sweep: { state: 'running', finishedAt: 't' } }, 25, null],
    ['not once the leader has said so', { backfill: 'done' }, 25, null],
    ['not while members read from it, leader or not', { backfill: undefined, mayServe: [false, true] }, 25, null],
    ['not where nobody runs', { mayServe: [] }, 25, null],
    ['not in target', { phase: 'target', mayServe: [true] }, 25, null],
    ['not where stop says more', { stop: true }, 0, null],
    ['not where the phase says more', { phase: 'observe' }, 0, null],
    ['by the brakes of all members', { backfill: 'done', mayServe: [true, true], braked: [true, true] }, 0, brakeText],
    ['not by the brake of one', { backfill: 'done', mayServe: [true, true], braked: [true, false] }, 25, null],
  ])('is shown with its reason %s', (_when, given, read, readBarrier) => {
    const route = statusOf(given);
    expect([route.percent.read, route.readBarrier, route.percentSet.read]).toEqual([read, readBarrier, 25]);
  });

  it('is told by the command line', () => {
    const route = statusOf({});
    expect(renderRoute(route, store, { style: styleOf(false), bars: false })).toContain(
      `read 0 % (25 % waits: ${barrier})  shadow`,
    );
  });
});
