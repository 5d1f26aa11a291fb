/**
 * Every metric of the product: name, help, labels with their closed value sets, in one table on a registry that is
 * passed in. Rooms get the typed metrics and never name a series themselves; `docs/metrics.md` is held against the table.
 * Conventions: prefix crossfade_, base units, `_total` on counters only, one label value set per label, no index name, path
 * or document id in a label. `route` is bounded by the routes of the store; traffic of no route has the value `-`.
 */
import { Counter, collectDefaultMetrics, Gauge, type Metric, type Registry } from 'prom-client';
import { discardReasons, severities, skipReasons, verdicts } from './compare/types.ts';
import { cutoverResults } from './coordination/job-status.ts';
import { percentKinds } from './coordination/keys.ts';
import { phases, sides } from './coordination/records.ts';
import { type ErrorCode, errorTable } from './errors.ts';
import { TalliedCounter, TalliedHistogram } from './metric-tally.ts';
import { pinReasons } from './proxy/read/choose-side.ts';
import { fallbackCauses } from './proxy/read/judge-follower.ts';
import { families } from './proxy/types.ts';

/** Value set of the `route` label: slugs of the store, and `-`. */
export const perRoute = 'route';
export const unrouted = '-';

export const outcomes = [
  'ok',
  'client_error',
  'throttled',
  'server_error',
  'refused',
  'failed',
  'client_closed',
] as const;
/**
 * client_error: a 4xx of the cluster; throttled: its 429; server_error: its 5xx; refused: answered here and never sent on;
 * failed: sent, but no usable answer came; client_closed: the client left first.
 */
export type Outcome = (typeof outcomes)[number];
export const answeringSides = [...sides, 'none'] as const;
export const accesses = ['read', 'write', 'admin', 'unknown'] as const;
export const copyResults = ['applied', 'superseded', 'quarantined', 'left_to_tail', 'fenced'] as const;
export const upstreamUses = ['client', 'background'] as const;
/** Each once: an answer, too, can be `not_json`. */
export const shadowSkips = [
  ...new Set([
    ...['queue_full', 'too_large', 'breaker_open', 'stopped', 'not_comparable', 'client_failed'],
    ...discardReasons,
    ...skipReasons,
    'other',
  ]),
];
const errorCodes = Object.keys(errorTable) as ErrorCode[];
export const writeEvents = [
  ...(['fenced', 'fence_passed', 'fence_timeout', 'ack_timeout', 'read_back_failed', 'unknown_outcome'] as const),
  ...(['stamp_overflow', 'version_mode_mismatch', 'pipeline_changed'] as const),
] as const;
const readReasons = [
  ...pinReasons,
  ...['single_side', 'backfill', 'percent', 'allowed', 'denied', 'no_key', 'breaker_open', 'fallback'],
] as const;
export const switchKinds = ['cutover', 'rollback', 'rehearsal'] as const;
const sweepReasons = ['by_query', 'dropped_delete', 'unknown_delete', 'unparsable_answer', 'pass_through'] as const;

/** Seconds; dense where a proxy beside a cluster on the same network lives. */
const latencyBuckets = [
  0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  30,
];
const addedBuckets = [0.00005, 0.0001, 0.0002, 0.0003, ...latencyBuckets.filter((edge) => edge <= 1)];
const pauseBuckets = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 3, 5];

type Labels = Readonly<Record<string, readonly string[] | typeof perRoute>>;
const counter = <const L extends Labels>(name: string, help: string, labels: L) =>
  ({ type: 'counter', name: `crossfade_${name}`, help, labels }) as const;
const gauge = <const L extends Labels>(name: string, help: string, labels: L) =>
  ({ type: 'gauge', name: `crossfade_${name}`, help, labels }) as const;
const histogram = <const L extends Labels>(name: string, help: string, labels: L, buckets = latencyBuckets) =>
  ({ type: 'histogram', name: `crossfade_${name}`, help, labels, buckets }) as const;

const route = perRoute;
export const metricTable = {
  buildInfo: gauge('build_info', 'Always 1; the version of Crossfade and of Node.js.', { version: [], node: [] }),

  requests: counter(
    'requests_total',
    'Requests of the application, by route, family, the side that answered and outcome.',
    {
      route,
      family: families,
      side: answeringSides,
      outcome: outcomes,
    },
  ),
  requestDuration: histogram('request_duration_seconds', 'From the end of the request head to the end of the answer.', {
    access: accesses,
  }),
  upstreamDuration: histogram(
    'upstream_duration_seconds',
    'From sending a request to a cluster to the end of its answer, without waits for the client.',
    { side: sides, use: upstreamUses },
  ),
  addedLatency: histogram(
    'added_latency_seconds',
    'Time that requests spent in the sidecar and not on a cluster or waiting for their client.',
    { access: accesses },
    addedBuckets,
  ),
  errors: counter('errors_total', 'Answers that the sidecar authored itself, by code.', { code: errorCodes }),
  requestsInFlight: gauge('requests_in_flight', 'Requests of the application under way.', {}),
  clientConnections: gauge('client_connections', 'Open connections of the application.', {}),
  writesInFlight: gauge('writes_in_flight', 'Writes that were admitted and have not ended, their copies included.', {
    route,
  }),
  writesHeld: gauge('writes_held', 'Writes that wait for a switch of authority.', { route }),
  holdWait: histogram(
    'hold_wait_seconds',
    'How long a write waited for a switch of authority.',
    { route },
    pauseBuckets,
  ),

  copies: counter('copies_total', 'Copies offered to the follower, by result.', { route, result: copyResults }),
  copiesPending: gauge('copies_pending', 'Copies queued or under way to the follower.', { route }),
  copiesPendingBytes: gauge('copies_pending_bytes', 'Memory held by pending copies.', { route }),
  copiesOldestAge: gauge('copies_oldest_pending_seconds', 'Age of the oldest pending copy.', { route }),
  copiesDropped: counter('copies_dropped_total', 'Copies given up by the memory budget and left to the tail.', {
    route,
  }),
  copiesQuarantined: counter('copies_quarantined_total', 'Copies that the follower refused for good.', { route }),
  unknownOutcomes: counter('unknown_outcomes_total', 'Writes to the authority whose answer never came.', { route }),
  sweepNeeded: counter('sweep_needed_total', 'Events after which only a sweep proves deletes, by reason.', {
    route,
    reason: sweepReasons,
  }),

  writeEvents: counter('write_events_total', 'What happened to writes beside their result.', {
    route,
    event: writeEvents,
  }),

  readChoices: counter('read_choices_total', 'Reads by the side they were sent to and the reason of the choice.', {
    route,
    side: sides,
    reason: readReasons,
  }),
  readFallbacks: counter(
    'read_fallbacks_total',
    'Reads that the follower was asked and the authority had to answer, by cause.',
    {
      route,
      cause: [...fallbackCauses, 'refresh_failed'],
    },
  ),
  followerBrakeOn: gauge(
    'follower_brake_on',
    '1 while no reads are sent to the follower because comparisons show a burst of failures.',
    { route },
  ),
  followerBreakerOpen: gauge('follower_breaker_open', '1 while no reads are sent to the follower because it fails.', {
    route,
  }),

  shadowSampled: counter(
    'shadow_sampled_total',
    'Reads chosen for comparison; equals compared plus skipped plus under way.',
    { route },
  ),
  shadowCompared: counter(
    'shadow_compared_total',
    'Comparisons by the severity of their worst difference; none = equal.',
    { route, severity: ['none', ...severities] },
  ),
  shadowSkipped: counter('shadow_skipped_total', 'Samples that were not compared, by reason.', {
    route,
    reason: shadowSkips,
  }),
  shadowInFlight: gauge('shadow_in_flight', 'Shadow requests queued or under way.', { route }),
  shadowBreakerOpen: gauge(
    'shadow_breaker_open',
    '1 while shadow requests are suspended because the other side fails.',
    { route },
  ),
  shadowVerdict: gauge('shadow_verdict', '1 for the verdict in force, 0 for the others.', { route, verdict: verdicts }),
  shadowEValue: gauge('shadow_e_value', 'Evidence against the other side, by severity; a verdict needs the limit.', {
    route,
    severity: severities,
  }),
  shadowEValueLimit: gauge('shadow_e_value_limit', 'The evidence at which the verdict becomes rollback.', { route }),

  routePercent: gauge(
    'route_percent',
    'Percentage in force after phase and stop, 0-100; read is 0 until the follower is filled, and while the brake is on.',
    {
      route,
      kind: percentKinds,
    },
  ),
  routePhase: gauge('route_phase', '1 for the phase in force at this member, 0 for the others.', {
    route,
    phase: phases,
  }),
  routeEpoch: gauge('route_epoch', 'Epoch in force at this member.', { route }),
  routeReign: gauge('route_reign', 'Reign in force at this member.', { route }),
  routeHeld: gauge('route_held', '1 while writes wait for a switch of authority.', { route }),
  routeStopped: gauge('route_stopped', '1 while the stop key is on.', { route }),
  routeConfigErrors: gauge(
    'route_config_errors',
    'Keys of the route whose value was refused; the last good one stays in force.',
    { route },
  ),
  storeConnected: gauge('store_connected', '1 while the coordination store can be reached.', {}),
  storeAlarm: gauge(
    'store_alarm',
    '1 while the store holds another incarnation or lost its bucket; the last known good is kept.',
    {},
  ),
  members: gauge('members', 'Members with a live heartbeat, as this member sees them.', {}),

  leader: gauge('leader', '1 while this member leads the route.', { route }),
  cutoverPause: histogram(
    'cutover_pause_seconds',
    'Client pause of a switch of authority, from the first held write to the release.',
    { route, kind: switchKinds },
    pauseBuckets,
  ),
  cutoverStep: histogram(
    'cutover_step_seconds',
    'Time of each step of a switch of authority.',
    { route, step: [] },
    pauseBuckets,
  ),
  cutovers: counter('cutovers_total', 'Switches of authority by kind and result.', {
    route,
    kind: switchKinds,
    result: cutoverResults,
  }),
  tailLag: gauge('tail_lag_seconds', 'Age of the oldest change that the tail has not handled.', { route }),
  tailCaughtUp: gauge(
    'tail_caught_up_timestamp_seconds',
    'Time when the tail last stood at every checkpoint; unlike a lag it grows old by itself while the leader hangs.',
    { route },
  ),
  tailBehind: gauge('tail_behind_operations', 'Sequence numbers between the cursors of the tail and the checkpoints.', {
    route,
  }),
  backfillDocs: gauge('backfill_documents', 'Documents that the backfill has handled.', { route }),
  backfillRatio: gauge('backfill_progress_ratio', 'Share of the backfill that is done, 0-1.', { route }),
  backfillRate: gauge('backfill_documents_per_second', 'Present rate of the backfill.', { route }),
  backfillChunks: gauge(
    'backfill_chunks_remaining',
    'Chunks of the backfill that nobody has finished; what workers are scaled by.',
    { route },
  ),
  sweepRatio: gauge('sweep_progress_ratio', 'Share of the sweep that is done, 0-1.', { route }),
  sweepPending: gauge('sweep_pending', '1 while a sweep is needed or under way.', { route }),
  ledgerUnaccounted: gauge(
    'ledger_unaccounted_writes',
    'Writes on the authority that no member accounts for; absent before a first proof.',
    {
      route,
    },
  ),
  proofTime: gauge('proof_timestamp_seconds', 'Time of the last proof that found both sides equal.', { route }),
  quarantined: gauge('quarantined_documents', 'Documents that the follower refuses; they bar a cutover.', { route }),
  safeToAdvance: gauge('safe_to_advance', '1 when every condition of the next step holds.', { route }),
  rollbackReady: gauge('rollback_ready', '1 when a rollback now would lose nothing.', { route }),
  alarms: gauge('route_alarms', 'Things noticed by the leader that need a person.', { route }),
  statusTime: gauge(
    'status_timestamp_seconds',
    'Time of the last full turn of the leader; while it grows old, the other gauges of the route are old too.',
    { route },
  ),
} as const;

type Table = typeof metricTable;
type LabelOf<D> = D extends { labels: infer L } ? Extract<keyof L, string> : never;
type MetricOf<D> = D extends { type: 'counter' }
  ? TalliedCounter<LabelOf<D>>
  : D extends { type: 'gauge' }
    ? Gauge<LabelOf<D>>
    : TalliedHistogram<LabelOf<D>>;
export type Metrics = { readonly [K in keyof Table]: MetricOf<Table[K]> };
export type Declaration = {
  type: 'counter' | 'gauge' | 'histogram';
  name: string;
  help: string;
  labels: Labels;
  buckets?: number[];
};

const create = (registry: Registry, { type, name, help, labels, buckets }: Declaration) => {
  const options = { name, help, labelNames: Object.keys(labels), registers: [registry] };
  switch (type) {
    case 'counter':
      return new TalliedCounter(options);
    case 'gauge':
      return new Gauge(options);
    case 'histogram': {
      const histogram = new TalliedHistogram({ ...options, buckets: buckets ?? latencyBuckets });
      registry.registerMetric(histogram as unknown as Metric);
      return histogram;
    }
    default:
      return type satisfies never;
  }
};

/** A metric with one closed label starts at 0, so that a rate over its first event is seen. */
const startAtZero = (metric: ReturnType<typeof create>, { labels }: Declaration): void => {
  const [only, ...others] = Object.entries(labels);
  if (!(metric instanceof Counter) || only === undefined || others.length > 0 || only[1] === perRoute) return;
  for (const value of only[1]) metric.inc({ [only[0]]: value }, 0);
};

/** Process metrics that break the naming rules or list an unbounded set of handle types. */
const unwantedProcessMetrics = ['active_resources', 'active_handles', 'active_requests'].flatMap((name) => [
  `crossfade_nodejs_${name}`,
  `crossfade_nodejs_${name}_total`,
]);

export const createMetrics = (registry: Registry): Metrics => {
  const made = Object.entries(metricTable as Record<string, Declaration>).map(([key, declaration]) => {
    const metric = create(registry, declaration);
    startAtZero(metric, declaration);
    return [key, metric];
  });
  return Object.fromEntries(made) as Metrics;
};

export const collectProcessMetrics = (registry: Registry): void => {
  collectDefaultMetrics({ register: registry, prefix: 'crossfade_' });
  for (const name of unwantedProcessMetrics) registry.removeSingleMetric(name);
};
