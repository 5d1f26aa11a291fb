/**
 * What each member counts of its own traffic for the charts, and how the counts of all members become rates and
 * percentiles. Pure. Counts are cumulative over the life of a process, so a lost record costs resolution and nothing
 * else; a process that started anew counts from zero. Buckets are the same everywhere, so that counts can be added.
 * A view and never an input of a decision: read leniently, and a record that cannot be read is left out.
 */
import * as z from 'zod';
import type { Entry } from '../coordination/ports.ts';
import { parseRecord } from '../coordination/parse-record.ts';

/** Upper edges in milliseconds grow by a quarter each: a percentile is exact to about a tenth. */
const firstEdgeMs = 0.05;
const growth = 1.25;
export const bucketCount = 60;
const logGrowth = Math.log(growth);

export const bucketOfMs = (ms: number): number => {
  if (!(ms > firstEdgeMs)) return 0;
  return Math.min(bucketCount - 1, Math.ceil(Math.log(ms / firstEdgeMs) / logGrowth));
};
/** Milliseconds. */
export const edgeOf = (bucket: number): number => firstEdgeMs * growth ** bucket;

/** Positions in `counts`. */
export const countNames = ['readSource', 'readTarget', 'writeSource', 'writeTarget', 'failed'] as const;
/** Positions in `severities`: equal answers, then S0 to S9. */
export const severityNames = ['none', 'S0', 'S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'S8', 'S9'] as const;

const Counts = z.array(z.number().min(0)).max(bucketCount);
export const TrafficLine = z.object({
  counts: Counts.describe('requests, in the order of countNames'),
  source: Counts.describe('reads on the source by latency bucket'),
  target: Counts.describe('reads on the target by latency bucket, shadow reads included'),
  added: Counts.describe('requests by the time they spent in the sidecar'),
  severities: Counts.describe('comparisons, in the order of severityNames'),
});
export type TrafficLine = z.infer<typeof TrafficLine>;
export const TrafficRecord = z.object({
  schema: z.literal(1),
  member: z.string(),
  boot: z.string(),
  upMs: z.number().min(0).describe('age of the process when it counted, on its own clock'),
  routes: z.record(z.string(), TrafficLine),
});
export type TrafficRecord = z.infer<typeof TrafficRecord>;

const parts = ['counts', 'source', 'target', 'added', 'severities'] as const satisfies readonly (keyof TrafficLine)[];
const zeros = (length: number): number[] => Array.from({ length }, () => 0);
export const emptyLine = (): TrafficLine => ({
  counts: zeros(countNames.length),
  source: zeros(bucketCount),
  target: zeros(bucketCount),
  added: zeros(bucketCount),
  severities: zeros(severityNames.length),
});

const combine = (a: readonly number[], b: readonly number[], sign: 1 | -1): number[] =>
  Array.from({ length: Math.max(a.length, b.length) }, (_, i) => Math.max(0, (a[i] ?? 0) + sign * (b[i] ?? 0)));
const combineLines = (a: TrafficLine, b: TrafficLine, sign: 1 | -1): TrafficLine =>
  Object.fromEntries(parts.map((part) => [part, combine(a[part], b[part], sign)])) as TrafficLine;

export const addLines = (lines: readonly TrafficLine[]): TrafficLine =>
  lines.reduce((sum, line) => combineLines(sum, line, 1), emptyLine());

export const trafficIn = (entries: readonly Entry[]): TrafficRecord[] =>
  entries.flatMap(({ value }) => parseRecord(TrafficRecord, value) ?? []);

/** The last few records of each member, oldest first, all of one life of it. */
export type Seen = ReadonlyMap<string, readonly TrafficRecord[]>;
/** Rates and percentiles are over the time between the first and the last of these. */
const keptRecords = 4;

const follow = (earlier: readonly TrafficRecord[], record: TrafficRecord): readonly TrafficRecord[] => {
  const last = earlier.at(-1);
  if (last?.boot !== record.boot) return [record];
  return record.upMs > last.upMs ? [...earlier, record].slice(-keptRecords) : earlier;
};

/** Members without a record are gone. */
export const nextSeen = (seen: Seen, records: readonly TrafficRecord[]): Seen =>
  new Map(records.map((record) => [record.member, follow(seen.get(record.member) ?? [], record)]));

/** What one member counted of a route in `elapsedMs` of its own time. */
export type Growth = { elapsedMs: number; line: TrafficLine };

/** A member seen once only adds nothing: its counts are of its whole life. */
export const growthOf = (seen: Seen, slug: string): Growth[] =>
  [...seen.values()].flatMap((records) => {
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined || first === last) return [];
    const line = combineLines(last.routes[slug] ?? emptyLine(), first.routes[slug] ?? emptyLine(), -1);
    return [{ elapsedMs: last.upMs - first.upMs, line }];
  });

/** Milliseconds, between the edges of its bucket by share; undefined when nothing was counted. */
export const percentileMs = (counts: readonly number[], share: number): number | undefined => {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (below + count >= share * total && count > 0) {
      const low = bucket === 0 ? 0 : edgeOf(bucket - 1);
      return low + ((share * total - below) / count) * (edgeOf(bucket) - low);
    }
    below += count;
  }
  return edgeOf(bucketCount - 1);
};
