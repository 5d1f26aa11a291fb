/** What a sidecar's own metrics say, summed over their labels. */
import { setTimeout as delay } from 'node:timers/promises';

export type Scraped = (metric: string) => number;

export const scrape = async (adminUrl: string): Promise<Scraped> => {
  const lines = (await (await fetch(`${adminUrl}/metrics`)).text()).split('\n');
  return (metric) =>
    lines
      .filter((line) => line.startsWith(`${metric}{`))
      .reduce((total, line) => total + Number(line.split(' ')[1]), 0);
};

/** Until no copy and no shadow read waits or is under way: what was put off has to be paid for as well. */
export const untilDone = async (adminUrl: string): Promise<void> => {
  for (;;) {
    const sum = await scrape(adminUrl);
    if (sum('crossfade_copies_pending') + sum('crossfade_shadow_in_flight') === 0) return;
    await delay(50);
  }
};
