/**
 * This process's own brake on reads of the follower: a burst of failures seen by its comparisons stops them at once,
 * without the store and without the fleet's verdict. Comparisons go on meanwhile, so recovery is seen without risking
 * reads. What documents explain is the verdict's matter, whatever severity a rule gave it. The decision is
 * compare/breaker.ts's; here is one state per route, begun anew with what the evidence is about (evidence-subject.ts):
 * another follower, spec or share of reads. Where nothing is compared any more no recovery can be seen, and the brake lets
 * go when its time is over.
 */
import {
  allowsReads,
  type BreakerOptions,
  type BreakerState,
  closedBreaker,
  defaultBreakerOptions,
  stepBreaker,
} from '../compare/breaker.ts';
import { isOfDocuments } from '../compare/subject.ts';
import { effectivePercents } from '../coordination/effective.ts';
import { evidenceSubject } from '../coordination/evidence-subject.ts';
import type { RouteState } from '../coordination/ports.ts';
import type { ShadowReport } from '../proxy/shadow/ports.ts';

export type ReadBrake = {
  note(report: Pick<ShadowReport, 'slug' | 'subject' | 'observation'>): void;
  /** False while no read of this route may go to the follower. */
  allows(slug: string): boolean;
};
export type ReadBrakeOptions = {
  state: (slug: string) => RouteState | undefined;
  /** The backfill of the route is complete, as far as is known here. */
  isFilled: (slug: string) => boolean;
  /** Monotonic milliseconds. */
  now: () => number;
  changed?: (slug: string, on: boolean) => void;
  options?: BreakerOptions;
};

type Held = { subject: string; state: BreakerState };

export const createReadBrake = ({
  state,
  isFilled,
  now,
  changed = () => undefined,
  options = defaultBreakerOptions,
}: ReadBrakeOptions): ReadBrake => {
  const routes = new Map<string, Held>();
  const subjectOf = (route: RouteState): string => evidenceSubject(route, isFilled(route.slug));
  /** What opened it is not over. */
  const stands = (slug: string, held: Held): boolean => {
    const route = state(slug);
    if (route === undefined || held.subject !== subjectOf(route)) return false;
    const untilMs = held.state.kind === 'open' ? held.state.untilMs : 0;
    return effectivePercents(route).shadow > 0 || now() < untilMs;
  };
  const allows = (slug: string): boolean => {
    const held = routes.get(slug);
    if (held === undefined || allowsReads(held.state)) return true;
    if (stands(slug, held)) return false;
    routes.delete(slug);
    changed(slug, false);
    return true;
  };
  return {
    allows,
    note: ({ slug, subject, observation }) => {
      const route = state(slug);
      if (route === undefined || subject !== subjectOf(route)) return;
      const before = allows(slug);
      const known = routes.get(slug);
      const from = known?.subject === subject ? known.state : closedBreaker;
      const severity = isOfDocuments(observation) ? 'none' : observation.severity;
      routes.set(slug, { subject, state: stepBreaker(from, severity, { nowMs: now(), options }) });
      if (allows(slug) !== before) changed(slug, before);
    },
  };
};
