/** The audit log of a route as it stands in the store, oldest first; entries that cannot be read are left out. */
import type { Entry, Store } from '../coordination/ports.ts';
import { AuditEntry } from '../coordination/records.ts';
import { parseRecord } from '../coordination/parse-record.ts';

export type AuditLine = AuditEntry & { n: number };

const read = ({ key, value }: Entry): AuditLine[] => {
  const entry = parseRecord(AuditEntry, value);
  return entry === undefined ? [] : [{ n: Number(key.slice(key.lastIndexOf('.') + 1)), ...entry }];
};

export const readAudit = async (store: Store, slug: string): Promise<AuditLine[]> =>
  (await store.config.list(`audit.${slug}.`)).flatMap(read).sort((a, b) => a.n - b.n);
