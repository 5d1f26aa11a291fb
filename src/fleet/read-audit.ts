/** The audit log of a route as it stands in the store, oldest first; entries that cannot be read are left out. */
import type { Entry, Store } from '../coordination/ports.ts';
import { AuditEntry } from '../coordination/records.ts';

export type AuditLine = AuditEntry & { n: number };

const read = ({ key, value }: Entry): AuditLine[] => {
  try {
    const parsed = AuditEntry.safeParse(JSON.parse(value));
    return parsed.success ? [{ n: Number(key.slice(key.lastIndexOf('.') + 1)), ...parsed.data }] : [];
  } catch {
    return [];
  }
};

export const readAudit = async (store: Store, slug: string): Promise<AuditLine[]> =>
  (await store.config.list(`audit.${slug}.`)).flatMap(read).sort((a, b) => a.n - b.n);
