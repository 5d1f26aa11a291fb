/**
 * One moment of a route for the charts: rates, percentiles and gauges of the whole fleet. Pure. What nobody measured is
 * null, so that a chart has a gap there instead of a comforting zero.
 */
import type { RouteStatus } from './fleet-status.ts';
import { addLines, countNames, type Growth, percentileMs, severityNames } from './traffic.ts';

/** p50, p95, p99 in milliseconds. */
export type Percentiles = [number | null, number | null, number | null];
export type ChartPoint = {
  /** Requests per second, in the order of countNames. */
  rates: number[];
  source: Percentiles;
  target: Percentiles;
  added: Percentiles;
  /** Comparisons per second, in the order of severityNames. */
  severities: number[];
  pending: number;
  oldestPendingMs: number;
  lagSeconds: number | null;
  /** The strongest e-value of each group in parts of its limit, in the order of evidenceGroups; 1 = the verdict turns. */
  evidence: (number | null)[];
};

const round = (value: number): number => Math.round(value * 1000) / 1000;
const perSecond = (growth: readonly Growth[], of: 'counts' | 'severities', names: readonly string[]): number[] =>
  names.map((_, i) =>
    round(growth.reduce((sum, { elapsedMs, line }) => sum + ((line[of][i] ?? 0) * 1000) / elapsedMs, 0)),
  );

const shares = [0.5, 0.95, 0.99];
const percentiles = (counts: readonly number[]): Percentiles =>
  shares.map((share) => {
    const ms = percentileMs(counts, share);
    return ms === undefined ? null : round(ms);
  }) as Percentiles;

/** First and last severity of each. */
const evidenceGroups = [
  [0, 2],
  [3, 5],
  [6, 9],
] as const;

const strongest = ({ verdict }: RouteStatus, [from, to]: (typeof evidenceGroups)[number]): number | null => {
  const parts = (verdict?.eValues ?? [])
    .filter(({ severity }) => Number(severity.slice(1)) >= from && Number(severity.slice(1)) <= to)
    .map(({ value, limit }) => value / limit)
    .filter(Number.isFinite);
  return parts.length === 0 ? null : Number(Math.max(...parts).toPrecision(3));
};

export const chartPoint = (route: RouteStatus, growth: readonly Growth[]): ChartPoint => {
  const sum = addLines(growth.map(({ line }) => line));
  return {
    rates: perSecond(growth, 'counts', countNames),
    source: percentiles(sum.source),
    target: percentiles(sum.target),
    added: percentiles(sum.added),
    severities: perSecond(growth, 'severities', severityNames),
    pending: route.copies.pending,
    oldestPendingMs: route.copies.oldestPendingMs,
    lagSeconds: route.tail.lagSeconds,
    evidence: evidenceGroups.map((group) => strongest(route, group)),
  };
};
