/**
 * Appends to the audit log of a route, one key per entry. Entries are created and never overwritten, so that two writers
 * cannot hide each other's: whoever loses the race for a number takes the next free one.
 */
import { keys } from './keys.ts';
import type { Bucket } from './ports.ts';
import type { AuditEntry } from './records.ts';

/** Writers that race for one number at the same time are few. */
const maxTries = 20;

const firstFree = async (bucket: Bucket, slug: string): Promise<number> => {
  const prefix = keys.audit(slug, 0).slice(0, -1);
  const used = (await bucket.list(prefix)).map(({ key }) => Number(key.slice(prefix.length))).filter(Number.isInteger);
  return Math.max(0, ...used) + 1;
};

/** Never throws: what was done stays done. @returns false when the entry may not have been written */
export const appendAudit = async (
  bucket: Bucket,
  slug: string,
  entry: Omit<AuditEntry, 'schema'>,
): Promise<boolean> => {
  const value = JSON.stringify({ schema: 1, ...entry } satisfies AuditEntry);
  const next = await firstFree(bucket, slug).catch(() => undefined);
  if (next === undefined) return false;
  for (let n = next; n < next + maxTries; n++) {
    const result = await bucket.update(keys.audit(slug, n), value, 0).catch(() => undefined);
    if (result?.ok === true) return true;
    if (result?.reason !== 'conflict') return false;
  }
  return false;
};
