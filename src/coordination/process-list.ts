/**
 * The durable list of the processes that may write to a route: one key per route and process start, written before the
 * process is first heard and removed when it has left. Heartbeats run out, and a leader that began after that has never
 * heard of a process that lost the store and writes on: here it stands all the same (I6). A leader removes whom it has
 * fenced; so a process that may have been taken for lost writes its keys again before it is heard again. The list outlives
 * its route: one of the same name may be applied again while somebody still writes to the source by its plain name.
 */
import * as z from 'zod';
import { bootPrefix, keys } from './keys.ts';
import { parseRecord } from './parse-record.ts';
import type { Bucket } from './ports.ts';

const Listed = z.object({ member: z.string() });
export type ListedProcess = { boot: string; member: string };

/** Each start of a process has a key of its own: markers of them all would fill the bucket over the years. */
const erase = (bucket: Bucket, key: string): Promise<void> =>
  (bucket.erase?.(key) ?? bucket.delete(key)).catch(() => undefined);

export type ProcessListOptions = { bucket: Bucket; member: string; boot: string };
export interface ProcessList {
  /**
   * Writes what is missing of all routes that there are; everything with `again`.
   * @throws CrossfadeError STORE_UNAVAILABLE, STORE_OUTCOME_UNKNOWN
   */
  enlist(slugs: Iterable<string>, again: boolean): Promise<void>;
  has(slug: string): boolean;
  /** After the last write of this process. Failing costs the next switch its fast path. */
  leave(): Promise<void>;
}

export const createProcessList = ({ bucket, member, boot }: ProcessListOptions): ProcessList => {
  const listed = new Set<string>();
  /** Of all routes there were: the list of one that was deleted stays, and who has left must not stand there as lost. */
  const written = new Set<string>();
  let left = false;
  return {
    enlist: async (slugs, again) => {
      if (left) return;
      const present = new Set(slugs);
      // A route that was deleted may come again, and who was lost may have been struck off meanwhile.
      for (const slug of listed) if (again || !present.has(slug)) listed.delete(slug);
      const wanted = [...present].filter((slug) => !listed.has(slug));
      await Promise.all(
        wanted.map(async (slug) => {
          written.add(slug);
          await bucket.put(keys.boot(slug, boot), JSON.stringify({ member }));
          listed.add(slug);
        }),
      );
    },
    has: (slug) => listed.has(slug),
    leave: async () => {
      left = true;
      await Promise.all([...written].map((slug) => erase(bucket, keys.boot(slug, boot))));
    },
  };
};

/** @throws CrossfadeError STORE_UNAVAILABLE */
export const listProcesses = async (bucket: Bucket, slug: string): Promise<ListedProcess[]> => {
  const prefix = bootPrefix(slug);
  const entries = await bucket.list(prefix);
  return entries.map(({ key, value }) => {
    const { member = '' } = parseRecord(Listed, value) ?? {};
    return { boot: key.slice(prefix.length), member };
  });
};

/** They are behind a fence. What cannot be removed is met again at the next switch. */
export const strikeProcesses = async (bucket: Bucket, slug: string, boots: readonly string[]): Promise<void> => {
  await Promise.all(boots.map((boot) => erase(bucket, keys.boot(slug, boot))));
};
