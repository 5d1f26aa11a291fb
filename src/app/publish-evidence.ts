/**
 * Puts this process's evidence into the store, under a key of its own start, so that what it saw still counts when it is
 * gone. Written only when it changed, the more rarely the more members there are: together they write about ten times a
 * second at most. While the store is away nothing is lost, since counters are cumulative.
 */
import { keys } from '../coordination/keys.ts';
import type { Bucket } from '../coordination/ports.ts';
import { systemTimers, type Timers } from '../coordination/timers.ts';
import type { Logger } from '../log.ts';
import type { Evidence } from './evidence.ts';

export type EvidencePublisherOptions = {
  bucket: Pick<Bucket, 'put'>;
  boot: string;
  evidence: Pick<Evidence, 'record'>;
  slugs: () => Iterable<string>;
  members: () => number;
  logger: Pick<Logger, 'debug'>;
  timers?: Timers;
  leastMs?: number;
};

const perMemberMs = 100;

/** @returns stop: tells once more, so that the last comparisons count too. */
export const startEvidencePublisher = (options: EvidencePublisherOptions): { stop(): Promise<void> } => {
  const { bucket, boot, evidence, slugs, members, logger, timers = systemTimers, leastMs = 2500 } = options;
  const told = new Map<string, string>();
  let cancel = (): void => undefined;
  let stopped = false;
  let telling = Promise.resolve();

  const tellRoute = async (slug: string): Promise<void> => {
    const text = evidence.record(slug);
    if (text === undefined || text === told.get(slug)) return;
    try {
      await bucket.put(keys.evidence(slug, boot), text);
      told.set(slug, text);
    } catch (err) {
      logger.debug({ err, slug }, 'evidence not stored');
    }
  };
  const tell = async (): Promise<void> => {
    for (const slug of slugs()) await tellRoute(slug);
  };
  const again = (): void => {
    if (stopped) return;
    cancel = timers.set(
      () => {
        telling = tell().finally(again);
      },
      Math.max(leastMs, members() * perMemberMs),
    );
  };
  again();
  return {
    stop: async () => {
      stopped = true;
      cancel();
      await telling;
      await tell();
    },
  };
};
