/**
 * One line of a heartbeat, put together from what the parts of this process know of a route. Pure. A member reports what
 * it has applied, never what it has only heard of: the phase and its revision come from the admission, through which
 * every write passes.
 */
import type { AdmissionReport } from '../coordination/admission-gate.ts';
import { brakeText, effectivePercents, servedPercents } from '../coordination/effective.ts';
import type { CopyReport, RouteState } from '../coordination/ports.ts';
import type { MemberRoute } from '../coordination/records.ts';

export type ShadowCounts = Pick<MemberRoute, 'compared' | 'mismatched' | 'skipped' | 'verdict'>;
export const noShadow: ShadowCounts = { compared: 0, mismatched: 0, skipped: 0, verdict: 'inconclusive' };

export type RouteFacts = {
  state: RouteState;
  /** The follower is known to be filled. */
  mayServe: boolean;
  /** Its own brake keeps all reads on the authority. */
  isBraked: boolean;
  admission: AdmissionReport;
  copies: CopyReport;
  /** Requests with copies whose answer never came. */
  unclear: number;
  shadow: ShadowCounts;
  /** Why copies are being repeated at present. */
  copyProblems: readonly string[];
};

export const routeLine = ({
  state,
  mayServe,
  isBraked,
  admission,
  copies,
  unclear,
  shadow,
  copyProblems,
}: RouteFacts): MemberRoute => ({
  phaseRevision: admission.phaseRevision,
  epoch: admission.epoch,
  phase: state.phase.phase,
  held: admission.held,
  drained: admission.drained,
  inFlight: admission.inFlight,
  byQuery: admission.byQuery,
  ...copies,
  unclear,
  oldestPendingMs: Math.round(copies.oldestPendingMs),
  ledger: [...copies.ledger],
  percent: servedPercents(state, mayServe && !isBraked),
  ...shadow,
  errors: [
    ...state.errors.map(({ key, message }) => `${key}: ${message}`),
    ...(isBraked && effectivePercents(state).read > 0 ? [brakeText] : []),
    ...copyProblems,
  ],
});
