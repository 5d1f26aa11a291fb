/**
 * This process's own brake on reads of the follower: a burst of failures seen by its comparisons stops them at once,
 * without the store and without the fleet's verdict. Comparisons go on meanwhile, so recovery is seen without risking
 * reads. The decision is compare/breaker.ts's; here is one state per route, begun anew when the follower is another side.
 */
import {
  allowsReads,
  type BreakerOptions,
  type BreakerState,
  closedBreaker,
  defaultBreakerOptions,
  stepBreaker,
} from '../compare/breaker.ts';
import type { Side } from '../coordination/records.ts';
import type { ShadowReport } from '../proxy/shadow/ports.ts';

export type ReadBrake = {
  note(report: Pick<ShadowReport, 'slug' | 'authority' | 'observation'>): void;
  /** False while no read of this route may go to the follower. */
  allows(slug: string): boolean;
};
export type ReadBrakeOptions = {
  /** Monotonic milliseconds. */
  now: () => number;
  changed?: (slug: string, on: boolean) => void;
  options?: BreakerOptions;
};

type Held = { authority: Side; state: BreakerState };

export const createReadBrake = ({
  now,
  changed = () => undefined,
  options = defaultBreakerOptions,
}: ReadBrakeOptions): ReadBrake => {
  const routes = new Map<string, Held>();
  const allows = (slug: string): boolean => allowsReads(routes.get(slug)?.state ?? closedBreaker);
  return {
    allows,
    note: ({ slug, authority, observation }) => {
      const known = routes.get(slug);
      const before = allows(slug);
      const state = known?.authority === authority ? known.state : closedBreaker;
      routes.set(slug, { authority, state: stepBreaker(state, observation.severity, { nowMs: now(), options }) });
      if (allows(slug) !== before) changed(slug, before);
    },
  };
};
