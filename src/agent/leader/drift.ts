/**
 * Watches, between proofs, whether the authority takes writes that no member accounts for. A member's report is older or
 * newer than the sequence numbers it is held against, so each reading of them gives two bounds: with the reports from
 * before it own writes of the meantime are missing, with reports from after it some are counted too early. Only when the
 * lower bounds of late rise above an upper bound of before has a foreign writer been there, whatever the load. While a
 * by-query runs nobody knows how much it has written, so nothing is concluded then. The exact balance is struck inside
 * the hold; this is the gauge, and the reason not to begin one. Pure.
 */
import type { Membership } from '../../coordination/membership.ts';

/** Sequence numbers of the authority as they were read, by index, waiting for reports made after `atMs`. */
export type Reading = { atMs: number; totals: readonly number[]; atMost: number };
export type DriftSample = {
  atMs: number;
  /** Writes that nobody accounts for, by the reports from after the reading and from before it. */
  atLeast: number;
  atMost: number;
  /** By member: requests whose answer never came, so that nobody knows what they wrote. */
  unanswered: Readonly<Record<string, number>>;
};
export type Drift = readonly DriftSample[];

const windowMs = 30_000;
/** Two heartbeats and a margin: within it there are several bounds to choose from. */
const leastSpanMs = 6_000;

/** What all members say of a route. `heardMs`: each of them was heard then or later. */
export type Reports = { heardMs: number; byQuery: number; pending: number; unanswered: Record<string, number> };

export const reportsOf = ({ members }: Membership, slug: string): Reports => {
  const reports: Reports = { heardMs: Number.POSITIVE_INFINITY, byQuery: 0, pending: 0, unanswered: {} };
  for (const { member, seenAtMs, heartbeat } of members.values()) {
    const line = heartbeat?.routes[slug];
    if (line === undefined) continue;
    reports.heardMs = Math.min(reports.heardMs, seenAtMs);
    reports.byQuery += line.byQuery;
    reports.pending += line.pendingCopies;
    reports.unanswered[member] = line.unknownOutcomes;
  }
  return reports;
};

/** A report that was made before the numbers were read may be seen a moment after. */
const deliveryMs = 250;

/** The newest reading after which every member has been heard, and the later ones. */
export const reported = (
  readings: readonly Reading[],
  heardMs: number,
): { reading: Reading | undefined; later: Reading[] } => {
  const newestMs = readings.at(-1)?.atMs ?? 0;
  const isReported = ({ atMs }: Reading): boolean => atMs + deliveryMs < heardMs;
  const later = readings.filter((one) => !isReported(one) && newestMs - one.atMs <= windowMs);
  return { reading: readings.findLast(isReported), later };
};

export const addDrift = (drift: Drift, sample: DriftSample): Drift => [
  ...drift.filter(({ atMs }) => sample.atMs - atMs <= windowMs),
  sample,
];

const least = (samples: Drift, bound: 'atLeast' | 'atMost'): number =>
  Math.min(...samples.map((sample) => sample[bound]));

/** Writes not accounted for now, as low as the last few reports allow it to be told. */
export const unaccountedNow = (drift: Drift): number => {
  const lastMs = drift.at(-1)?.atMs ?? 0;
  const recent = drift.filter(({ atMs }) => lastMs - atMs <= leastSpanMs);
  return recent.length === 0 ? 0 : Math.max(0, least(recent, 'atLeast'));
};

/** A request under way for long is in no report: so it is not one sample that must rise, but all of the later half. */
export const isGrowing = (drift: Drift): boolean => {
  const firstMs = drift[0]?.atMs ?? 0;
  const lastMs = drift.at(-1)?.atMs ?? 0;
  if (lastMs - firstMs < leastSpanMs) return false;
  const middleMs = (firstMs + lastMs) / 2;
  const older = drift.filter(({ atMs }) => atMs <= middleMs);
  const newer = drift.filter(({ atMs }) => atMs > middleMs);
  return least(newer, 'atLeast') > least(older, 'atMost');
};

/** Whose requests were never answered in this time: what they wrote is growth without a foreign writer. */
export const newlyUnanswered = (drift: Drift): string[] => {
  const before = drift[0]?.unanswered ?? {};
  return Object.entries(drift.at(-1)?.unanswered ?? {})
    .filter(([member, count]) => count > (before[member] ?? 0))
    .map(([member]) => member)
    .sort();
};
