/**
 * Which charts there are, and their columns from the moments of a route. Pure. Every series has a dash pattern of its
 * own as well as a colour.
 */
import { milliseconds, short } from './format.js';

/** @typedef {import('../src/admin/sampler.ts').Moment} Moment */
/** @typedef {import('../src/fleet/chart-point.ts').ChartPoint} ChartPoint */
/** @typedef {{ group?: string, label: string, color: string, dash: number[], value: (point: ChartPoint) => number | null }} Series */
/** @typedef {{ id: string, title: string, show: (value: number | null) => string, series: Series[], range?: [number, number] }} ChartSpec `range`: on a scale of powers of ten, cut at both ends */

const solid = /** @type {number[]} */ ([]);
const dashed = [6, 3];
const dotted = [2, 3];

/** @param {'source' | 'target' | 'added'} part @param {string} color @param {string} [group] @returns {Series[]} */
const percentiles = (part, color, group = '') => [
  { group, label: 'p50', color, dash: solid, value: (point) => point[part][0] },
  { group, label: 'p95', color, dash: dashed, value: (point) => point[part][1] },
  { group, label: 'p99', color, dash: dotted, value: (point) => point[part][2] },
];

/** @param {readonly number[]} counts @param {number} from @param {number} to inclusive */
const sum = (counts, from, to) => counts.slice(from, to + 1).reduce((total, value) => total + value, 0);

/** Far below the limit all is well, and far above it nothing changes any more. @type {[number, number]} */
const evidenceRange = [0.001, 1000];

/** Of one group of severities, cut to what the chart shows. @param {number} group */
const evidence =
  (group) =>
  /** @param {ChartPoint} point */
  ({ evidence: parts }) => {
    const part = parts[group] ?? null;
    const [least, most] = evidenceRange;
    return part === null ? null : Math.min(most, Math.max(least, part));
  };

/** @type {ChartSpec[]} */
export const chartSpecs = [
  {
    id: 'traffic',
    title: 'Requests per second, by side',
    show: short,
    series: [
      { label: 'reads source', color: 'source', dash: solid, value: ({ rates }) => rates[0] ?? null },
      { label: 'reads target', color: 'target', dash: solid, value: ({ rates }) => rates[1] ?? null },
      { label: 'writes source', color: 'source', dash: dashed, value: ({ rates }) => rates[2] ?? null },
      { label: 'writes target', color: 'target', dash: dashed, value: ({ rates }) => rates[3] ?? null },
      { label: 'failed', color: 'bad', dash: dotted, value: ({ rates }) => rates[4] ?? null },
    ],
  },
  {
    id: 'latency',
    title: 'Latency of reads, by side',
    show: milliseconds,
    series: [...percentiles('source', 'source', 'source'), ...percentiles('target', 'target', 'target')],
  },
  {
    id: 'added',
    title: 'Latency added by the sidecar',
    show: milliseconds,
    series: percentiles('added', 'accent'),
  },
  {
    id: 'copies',
    title: 'Copies pending',
    show: short,
    series: [{ label: 'pending', color: 'accent', dash: solid, value: ({ pending }) => pending }],
  },
  {
    id: 'lag',
    title: 'Lag in seconds',
    show: short,
    series: [
      { label: 'tail', color: 'target', dash: solid, value: ({ lagSeconds }) => lagSeconds },
      { label: 'oldest copy', color: 'accent', dash: dashed, value: ({ oldestPendingMs }) => oldestPendingMs / 1000 },
    ],
  },
  {
    id: 'severities',
    title: 'Comparisons per second, by severity',
    show: short,
    series: [
      { label: 'equal', color: 'good', dash: solid, value: ({ severities }) => severities[0] ?? null },
      { label: 'S0–S2', color: 'bad', dash: solid, value: ({ severities }) => sum(severities, 1, 3) },
      { label: 'S3–S5', color: 'target', dash: dashed, value: ({ severities }) => sum(severities, 4, 6) },
      { label: 'S6–S9', color: 'quiet', dash: dotted, value: ({ severities }) => sum(severities, 7, 10) },
    ],
  },
  {
    id: 'evidence',
    title: 'Evidence in parts of its limit',
    show: short,
    range: evidenceRange,
    series: [
      { label: 'S0–S2', color: 'bad', dash: solid, value: evidence(0) },
      { label: 'S3–S5', color: 'target', dash: dashed, value: evidence(1) },
      { label: 'S6–S9', color: 'quiet', dash: dotted, value: evidence(2) },
      {
        label: 'limit',
        color: 'bad',
        dash: [8, 4],
        value: ({ evidence: parts }) => (parts.every((part) => part === null) ? null : 1),
      },
    ],
  },
];

/** Moments further apart than this have a gap between them: nobody looked. */
const gapMs = 10_000;

/** @param {readonly Moment[]} moments @returns {Moment[]} */
const withGaps = (moments) =>
  moments.flatMap((moment, i) => {
    const before = moments[i - 1];
    const isGap = before !== undefined && moment.atMs - before.atMs > gapMs;
    return isGap ? [{ seq: 0, atMs: before.atMs + 1, points: {} }, moment] : [moment];
  });

/**
 * Columns for the chart: seconds, then one list per series. Moments in which the route did not exist are gaps.
 * @param {readonly Moment[]} moments @param {string} slug @param {readonly Series[]} series
 * @returns {[number[], ...(number | null)[][]]}
 */
export const columnsOf = (moments, slug, series) => {
  const all = withGaps(moments);
  const points = all.map(({ points: of }) => of[slug]);
  return [
    all.map(({ atMs }) => atMs / 1000),
    ...series.map(({ value }) => points.map((point) => (point === undefined ? null : value(point)))),
  ];
};

/** At least two minutes wide, so that the first points do not fill the whole chart. @param {number} from @param {number} to */
export const timeRange = (from, to) => /** @type {[number, number]} */ ([Math.min(from, to - 120), to]);

/** Upper edges in milliseconds of the bars of pauses. */
export const pauseEdges = [10, 25, 50, 100, 200, 500, 1000, 2000, 5000];
export const pauseLabels = ['10', '25', '50', '100', '200', '500', '1s', '2s', '5s', '>5s'];

/** How many pauses fall into each bar. @param {readonly number[]} pausesMs */
export const pauseCounts = (pausesMs) => {
  const counts = pauseLabels.map(() => 0);
  for (const ms of pausesMs) {
    const at = pauseEdges.findIndex((edge) => ms <= edge);
    const bar = at < 0 ? pauseEdges.length : at;
    counts[bar] = (counts[bar] ?? 0) + 1;
  }
  return counts;
};

/** Older moments than this are let go of. */
export const keptMoments = 450;

/**
 * Adds what came, in order and once each. A member that started anew counts from the beginning.
 * @param {readonly Moment[]} known @param {readonly Moment[]} came @param {boolean} resumed
 * @returns {Moment[]}
 */
export const mergeMoments = (known, came, resumed) => {
  const last = resumed ? (known.at(-1)?.seq ?? 0) : 0;
  return [...(resumed ? known : []), ...came.filter(({ seq }) => seq > last)].slice(-keptMoments);
};
