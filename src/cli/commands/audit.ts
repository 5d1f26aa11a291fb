/** `audit <slug>`: who changed what, when and why, oldest first. */
import { readAudit } from '../../fleet/read-audit.ts';
import type { CliContext, Outcome } from '../context.ts';
import { requireRoute } from '../route-states.ts';
import { table } from '../table.ts';

export const audit = async (
  { store }: CliContext,
  { slug, last }: { slug: string; last: number },
): Promise<Outcome> => {
  await requireRoute(store, slug);
  const entries = await readAudit(store, slug);
  const shown = entries.slice(-last);
  const rows = shown.map(({ n, at, by, what, reason }) => [String(n), at, by, what, reason]);
  return {
    text: rows.length === 0 ? `nothing is recorded for ${slug} yet` : table(['n', 'at', 'by', 'what', 'reason'], rows),
    json: { route: slug, entries: shown },
    next: `status ${slug}`,
  };
};
