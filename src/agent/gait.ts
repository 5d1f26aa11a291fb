/**
 * Pure: how a backfill goes when it may take only a share of what it is configured for. All of it: as many pages at once
 * as there are lanes, as large as configured. Less: small pages, fewer at once, and rests only for what is less than one
 * page at a time. A client's request waits behind whole pages, in queues and for a core: many small pages one after the
 * other copy as much as few large ones side by side, and let it through in between. Invariant: some work always goes on.
 */
export type Gait = {
  /** Pages worked on at once. */
  pages: number;
  /** Share of the time that each of them may take. */
  duty: number;
  pageBytes: number;
};
export type GaitLimits = { concurrency: number; pageBytes: number };

/** A thousand documents of 400 bytes: a few milliseconds of work for a cluster, and enough to make a bulk worth it. */
const gentlePageBytes = 512 * 1024;

/** `share` in (0, 1]. */
export const gaitAt = (share: number, { concurrency, pageBytes }: GaitLimits): Gait => {
  if (share >= 1) return { pages: concurrency, duty: 1, pageBytes };
  const pages = Math.max(1, Math.floor(share * concurrency));
  return { pages, duty: Math.min(1, (share * concurrency) / pages), pageBytes: Math.min(pageBytes, gentlePageBytes) };
};
