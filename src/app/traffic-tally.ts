/**
 * Counts the traffic of this process per route for the charts: numbers in fixed arrays, nothing else on the way of a
 * request. The metrics count the same events for Prometheus without the route, whose label would multiply histograms.
 */
import { severityNames, type TrafficLine, bucketOfMs, countNames, emptyLine } from '../fleet/traffic.ts';
import type { RequestEvent } from '../proxy/client-request.ts';
import type { ShadowReport } from '../proxy/shadow/ports.ts';

export interface TrafficTally {
  request(event: RequestEvent): void;
  shadow(report: ShadowReport): void;
  /** Of routes with traffic only. */
  lines(): Record<string, TrafficLine>;
  /** Forgets routes that are gone. */
  keepOnly(slugs: ReadonlySet<string>): void;
}

const failures: ReadonlySet<RequestEvent['outcome']> = new Set(['server_error', 'refused', 'failed']);
const at = (name: (typeof countNames)[number]): number => countNames.indexOf(name);
const positions = {
  read: { source: at('readSource'), target: at('readTarget') },
  write: { source: at('writeSource'), target: at('writeTarget') },
};
const failedAt = at('failed');

const bump = (counts: number[], i: number): void => {
  counts[i] = (counts[i] ?? 0) + 1;
};

const noteRequest = (line: TrafficLine, event: RequestEvent): void => {
  const { access, side, outcome, durationMs, upstreamMs, clientMs } = event;
  if (failures.has(outcome)) bump(line.counts, failedAt);
  if (side === 'none' || (access !== 'read' && access !== 'write')) return;
  bump(line.counts, positions[access][side]);
  if (upstreamMs <= 0) return;
  if (access === 'read') bump(line[side], bucketOfMs(upstreamMs));
  bump(line.added, bucketOfMs(Math.max(0, durationMs - upstreamMs - clientMs)));
};

/** The authority's half of a comparison is the client's own read, which was counted with its request. */
const noteShadow = (line: TrafficLine, { observation, authority, otherMs }: ShadowReport): void => {
  if (observation.discard !== undefined) return;
  bump(line.severities, severityNames.indexOf(observation.severity));
  bump(authority === 'source' ? line.target : line.source, bucketOfMs(otherMs));
};

export const createTrafficTally = (): TrafficTally => {
  const routes = new Map<string, TrafficLine>();
  const lineOf = (slug: string): TrafficLine => {
    const line = routes.get(slug) ?? emptyLine();
    routes.set(slug, line);
    return line;
  };
  return {
    request: (event) => {
      if (event.routeSlug !== undefined) noteRequest(lineOf(event.routeSlug), event);
    },
    shadow: (report) => noteShadow(lineOf(report.slug), report),
    lines: () => Object.fromEntries(routes),
    keepOnly: (slugs) => {
      for (const slug of routes.keys()) if (!slugs.has(slug)) routes.delete(slug);
    },
  };
};
