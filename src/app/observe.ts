/**
 * Turns what the rooms tell into metrics: events as they come, and the present state of routes, copies and store at each
 * scrape. Nothing is decided here. Labels are closed sets; a route that nobody configured cannot get a series.
 */
import type { Registry } from 'prom-client';
import type { Copier } from '../agent/copier.ts';
import type { AdmissionControl } from '../coordination/admission.ts';
import { servedPercents } from '../coordination/effective.ts';
import { percentKinds } from '../coordination/keys.ts';
import type { CopyOutcome, RouteState, RouteStates, StoreStatus, SweepReason } from '../coordination/ports.ts';
import { phases, type Side } from '../coordination/records.ts';
import { type Metrics, type Outcome, unrouted, type writeEvents } from '../metrics.ts';
import type { RequestEvent } from '../proxy/client-request.ts';
import type { ReadEvent } from '../proxy/read/ports.ts';
import type { ShadowEvent, ShadowReads } from '../proxy/shadow/runner.ts';
import type { Access, Family } from '../proxy/types.ts';
import type { WriteEvent } from '../proxy/write/ports.ts';
import type { Transport } from '../upstream/types.ts';
import type { FilledWatch } from './filled-watch.ts';
import type { ReadBrake } from './read-brake.ts';

const seconds = (ms: number): number => ms / 1000;

/** What `make` made of a key before, or makes now. */
const known = <K extends string, V extends object>(make: (key: K) => V): ((key: K) => V) => {
  const made = new Map<K, V>();
  return (key) => {
    const before = made.get(key);
    if (before !== undefined) return before;
    const value = make(key);
    made.set(key, value);
    return value;
  };
};

/** For every request, so the series are looked up by its words and not by names that are put together. */
export const observeRequest = (metrics: Metrics) => {
  const countOf = known((route: string) =>
    known((family: Family) =>
      known((side: RequestEvent['side']) =>
        known((outcome: Outcome) => metrics.requests.cell({ route, family, side, outcome })),
      ),
    ),
  );
  const durationOf = known((access: Access) => metrics.requestDuration.series({ access }));
  const upstreamOf = known((side: Side) => metrics.upstreamDuration.series({ side, use: 'client' }));
  const addedOf = known((access: Access) => metrics.addedLatency.series({ access }));
  return (event: RequestEvent): void => {
    const { routeSlug, family, access, side, outcome, durationMs, upstreamMs, clientMs, errorCode } = event;
    countOf(routeSlug ?? unrouted)(family)(side)(outcome).count++;
    durationOf(access).observe(seconds(durationMs));
    if (errorCode !== undefined) metrics.errors.inc({ code: errorCode });
    if (side === 'none' || upstreamMs <= 0) return;
    upstreamOf(side).observe(seconds(upstreamMs));
    addedOf(access).observe(seconds(Math.max(0, durationMs - upstreamMs - clientMs)));
  };
};

export const observeCopy =
  (metrics: Metrics) =>
  (route: string, result: CopyOutcome): void =>
    metrics.copies.inc({ route, result });

export const observeSweepNeeded =
  (metrics: Metrics) =>
  (route: string, reason: SweepReason): void =>
    metrics.sweepNeeded.inc({ route, reason });

export const observeHeld =
  (metrics: Metrics) =>
  (route: string, _end: unknown, waitedMs: number): void =>
    metrics.holdWait.observe({ route }, seconds(waitedMs));

const writeEventName = (event: WriteEvent): (typeof writeEvents)[number] | undefined => {
  if (event.kind === 'read_back') return event.failed > 0 ? 'read_back_failed' : undefined;
  return event.kind;
};

export const observeWrite =
  (metrics: Metrics) =>
  (event: WriteEvent): void => {
    const name = writeEventName(event);
    if (name !== undefined) metrics.writeEvents.inc({ route: event.slug, event: name });
  };

export const observeRead =
  (metrics: Metrics) =>
  (event: ReadEvent): void => {
    const route = event.slug;
    switch (event.kind) {
      case 'chosen':
        metrics.readChoices.inc({ route, side: event.side, reason: event.reason });
        break;
      case 'fallback':
        metrics.readFallbacks.inc({ route, cause: event.cause });
        break;
      case 'breaker':
        metrics.followerBreakerOpen.set({ route }, event.state === 'closed' ? 0 : 1);
        break;
      case 'refresh_failed':
        metrics.readFallbacks.inc({ route, cause: 'refresh_failed' });
        break;
      default:
        event satisfies never;
    }
  };

export const observeShadow =
  (metrics: Metrics) =>
  (event: ShadowEvent): void => {
    const route = event.slug;
    switch (event.kind) {
      case 'sampled':
        metrics.shadowSampled.inc({ route });
        break;
      case 'compared':
        metrics.shadowCompared.inc({ route, severity: event.severity });
        break;
      case 'skipped':
        metrics.shadowSkipped.inc({ route, reason: event.reason });
        break;
      case 'breaker':
        metrics.shadowBreakerOpen.set({ route }, event.state === 'closed' ? 0 : 1);
        break;
      default:
        event satisfies never;
    }
  };

/** Times the requests of the engine; the application's own are timed with their requests. */
export const timedTransport = (transport: Transport, side: 'source' | 'target', metrics: Metrics): Transport => ({
  request: async (request) => {
    const sentMs = performance.now();
    try {
      return await transport.request(request);
    } finally {
      metrics.upstreamDuration.observe({ side, use: 'background' }, seconds(performance.now() - sentMs));
    }
  },
});

export type ScrapeSources = {
  states: () => RouteStates;
  admission: Pick<AdmissionControl, 'report'>;
  copier: Pick<Copier, 'report'>;
  shadow: Pick<ShadowReads, 'counts'>;
  filled: Pick<FilledWatch, 'mayServe'>;
  brake: Pick<ReadBrake, 'allows'>;
  store: () => StoreStatus;
  members: () => number;
  connections: () => number;
  requests: () => number;
};

const exclusive = (set: (value: string, on: 0 | 1) => void, values: readonly string[], present: string): void => {
  for (const value of values) set(value, value === present ? 1 : 0);
};

const scrapeRoute = (
  metrics: Metrics,
  state: RouteState,
  sources: Pick<ScrapeSources, 'admission' | 'filled' | 'brake'>,
): void => {
  const route = state.slug;
  const admission = sources.admission.report(route);
  metrics.writesInFlight.set({ route }, admission?.inFlight ?? 0);
  metrics.writesHeld.set({ route }, admission?.heldRequests ?? 0);
  metrics.routeHeld.set({ route }, admission?.held ? 1 : 0);
  const percents = servedPercents(state, sources.filled.mayServe(state) && sources.brake.allows(route));
  for (const kind of percentKinds) metrics.routePercent.set({ route, kind }, percents[kind]);
  exclusive((phase, on) => metrics.routePhase.set({ route, phase }, on), phases, state.phase.phase);
  metrics.routeEpoch.set({ route }, state.phase.epoch);
  metrics.routeReign.set({ route }, state.phase.reign);
  metrics.routeStopped.set({ route }, state.stop ? 1 : 0);
  metrics.routeConfigErrors.set({ route }, state.errors.length);
};

const scrapeCopies = (metrics: Metrics, route: string, copier: ScrapeSources['copier']): void => {
  const copies = copier.report(route);
  metrics.copiesPending.set({ route }, copies.pendingCopies);
  metrics.copiesPendingBytes.set({ route }, copies.pendingBytes);
  metrics.copiesOldestAge.set({ route }, seconds(copies.oldestPendingMs));
  metrics.copiesDropped.inc({ route }, copies.dropped);
  metrics.copiesQuarantined.inc({ route }, copies.quarantined);
  metrics.unknownOutcomes.inc({ route }, copies.unknownOutcomes);
};

/** Metrics that are read off the present state; they are emptied first, so that a deleted route leaves no series. */
const scraped = [
  'routePercent',
  'routePhase',
  'routeEpoch',
  'routeReign',
  'routeHeld',
  'writesInFlight',
  'writesHeld',
  'shadowInFlight',
  'routeStopped',
  'routeConfigErrors',
  'copiesPending',
  'copiesPendingBytes',
  'copiesOldestAge',
  'copiesDropped',
  'copiesQuarantined',
  'unknownOutcomes',
] as const satisfies readonly (keyof Metrics)[];

const takeStore = (metrics: Metrics, store: StoreStatus): void => {
  metrics.storeConnected.set(store.connected ? 1 : 0);
  metrics.storeAlarm.set(store.alarm === undefined ? 0 : 1);
};

const takeState = (metrics: Metrics, sources: ScrapeSources): void => {
  takeStore(metrics, sources.store());
  metrics.members.set(sources.members());
  metrics.clientConnections.set(sources.connections());
  metrics.requestsInFlight.set(sources.requests());
  for (const name of scraped) metrics[name].reset();
  for (const state of sources.states().values()) {
    scrapeRoute(metrics, state, sources);
    metrics.shadowInFlight.set({ route: state.slug }, sources.shadow.counts(state.slug).underWay);
    scrapeCopies(metrics, state.slug, sources.copier);
  }
};

/** What the admin listener serves under /metrics. */
export const scrapeOf = (registry: Registry, metrics: Metrics, sources: ScrapeSources) => ({
  contentType: registry.contentType,
  metrics: (): Promise<string> => {
    takeState(metrics, sources);
    return registry.metrics();
  },
});

/** A worker serves nobody and is no member: it has the store, and no zeros for what it cannot know. */
export const workerScrapeOf = (registry: Registry, metrics: Metrics, store: () => StoreStatus) => {
  for (const name of ['members', 'clientConnections', 'requestsInFlight'] as const) metrics[name].remove();
  return {
    contentType: registry.contentType,
    metrics: (): Promise<string> => {
      takeStore(metrics, store());
      return registry.metrics();
    },
  };
};
