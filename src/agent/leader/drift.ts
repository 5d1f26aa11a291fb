/**
 * Watches, between proofs, whether the authority takes writes that no member accounts for. What members report is a
 * little old, so the difference swings with the load; only growth of its floor beyond what may be under way counts. The
 * exact balance is struck inside the hold; this is the gauge, and the reason not to begin one. Pure.
 */
export type DriftSample = { atMs: number; unaccounted: number; sequences: number };
export type Drift = readonly DriftSample[];

const windowMs = 30_000;
/** How old a member's report can be, with a margin. */
const reportAgeSeconds = 3;

export const addDrift = (drift: Drift, sample: DriftSample): Drift => [
  ...drift.filter(({ atMs }) => sample.atMs - atMs <= windowMs),
  sample,
];

const floorOf = (samples: Drift): number => Math.min(...samples.map(({ unaccounted }) => unaccounted));

/** Writes not accounted for now, as low as the last few seconds allow it to be told. */
export const unaccountedNow = (drift: Drift): number => {
  const last = drift.at(-1);
  if (last === undefined) return 0;
  return Math.max(0, floorOf(drift.filter(({ atMs }) => last.atMs - atMs <= reportAgeSeconds * 1000)));
};

export const isGrowing = (drift: Drift): boolean => {
  const first = drift[0];
  const last = drift.at(-1);
  if (first === undefined || last === undefined || last.atMs - first.atMs < 2 * reportAgeSeconds * 1000) return false;
  const middle = (first.atMs + last.atMs) / 2;
  const older = floorOf(drift.filter(({ atMs }) => atMs <= middle));
  const newer = floorOf(drift.filter(({ atMs }) => atMs > middle));
  const perSecond = (1000 * (last.sequences - first.sequences)) / (last.atMs - first.atMs);
  return newer - older > perSecond * reportAgeSeconds;
};
