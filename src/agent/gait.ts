/**
 * Pure: how a backfill goes when it may take only a share of what it is configured for. All of it: each lane reads ahead of
 * what it writes, in pages as large as configured. Less: small pages, as few steps at once as lanes are left, each a page
 * read or a page written, and rests only for what is less than one step at a time. A client's request waits behind whole
 * pages, in queues and for a core: small steps one after the other leave a core free, and copy no less for each second of
 * work. Invariant: some work always goes on.
 */
export type Gait = {
  /** Pages read or written at once. */
  steps: number;
  /** Share of the time that they may take. */
  duty: number;
  pageBytes: number;
};
export type GaitLimits = { concurrency: number; pageBytes: number };

/** A thousand documents of 400 bytes: a few milliseconds of work for a cluster, and enough to make a bulk worth it. */
const gentlePageBytes = 512 * 1024;

/** `share` in (0, 1]. */
export const gaitAt = (share: number, { concurrency, pageBytes }: GaitLimits): Gait => {
  if (share >= 1) return { steps: Number.POSITIVE_INFINITY, duty: 1, pageBytes };
  const steps = Math.max(1, Math.floor(share * concurrency));
  return { steps, duty: Math.min(1, (share * concurrency) / steps), pageBytes: Math.min(pageBytes, gentlePageBytes) };
};
