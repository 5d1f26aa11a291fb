/** `audit <slug>`: who changed what, when and why, oldest first. */
import type { Entry } from '../../coordination/ports.ts';
import { AuditEntry } from '../../coordination/records.ts';
import type { CliContext, Outcome } from '../context.ts';
import { requireRoute } from '../route-states.ts';
import { table } from '../table.ts';

type Line = AuditEntry & { n: number };

const read = ({ key, value }: Entry): Line[] => {
  try {
    const parsed = AuditEntry.safeParse(JSON.parse(value));
    return parsed.success ? [{ n: Number(key.slice(key.lastIndexOf('.') + 1)), ...parsed.data }] : [];
  } catch {
    return [];
  }
};

export const audit = async (
  { store }: CliContext,
  { slug, last }: { slug: string; last: number },
): Promise<Outcome> => {
  await requireRoute(store, slug);
  const entries = (await store.config.list(`audit.${slug}.`)).flatMap(read).sort((a, b) => a.n - b.n);
  const shown = entries.slice(-last);
  const rows = shown.map(({ n, at, by, what, reason }) => [String(n), at, by, what, reason]);
  return {
    text: rows.length === 0 ? `nothing is recorded for ${slug} yet` : table(['n', 'at', 'by', 'what', 'reason'], rows),
    json: { route: slug, entries: shown },
    next: `status ${slug}`,
  };
};
