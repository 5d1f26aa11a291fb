/** Tables, medians and the JSON that a run leaves in bench/results. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';

export type Report = { name: string; rows: Record<string, string>[]; ratios: Record<string, number>; raw?: unknown };

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
};

/** The value that a `share` of all are below. */
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

/** Least squares, per minute. */
export const slopePerMinute = (points: readonly { second: number; value: number }[]): number => {
  const mean = (of: (point: { second: number; value: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(({ second }) => second), mean(({ value }) => value)];
  const covariance = mean(({ second, value }) => (second - x) * (value - y));
  return (60 * covariance) / mean(({ second }) => (second - x) ** 2);
};

export const table = (rows: readonly Record<string, string>[]): string => {
  const columns = Object.keys(rows[0] ?? {});
  const width = (column: string): number => Math.max(column.length, ...rows.map((row) => (row[column] ?? '').length));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => cell.padEnd(width(columns[i] ?? ''))).join('  ');
  return [line(columns), ...rows.map((row) => line(columns.map((column) => row[column] ?? '')))].join('\n');
};

const loadAtStart = loadavg()[0] ?? 0;
/** Who reads a figure must know what else the machine was doing: the load before this process began, and now. */
export const machine = (): string => {
  const [first] = cpus();
  const load = `load average ${loadAtStart.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after`;
  return `${cpus().length} x ${first?.model ?? 'unknown'}, Node.js ${process.version}, ${load}`;
};

export const keepReport = (report: Report): string => {
  const dir = join(import.meta.dirname, '..', 'results');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${report.name}.json`);
  writeFileSync(file, JSON.stringify({ ...report, machine: machine() }, null, 2));
  return file;
};
