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
  /** By severity, as the leader reports them, with the limit of each. */
  eValues: { severity: string; value: number; limit: number }[];
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
    eValues: route.verdict?.eValues ?? [],
  };
};
