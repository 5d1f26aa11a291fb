/**
 * Writes into the audit what a command has changed in the store itself; what the leader does, the leader records. The
 * change stands already, so a missing entry is said and is no failure: the brake must not depend on the audit.
 */
import { appendAudit } from '../coordination/audit-log.ts';
import type { CliContext } from './context.ts';

export type Change = { slug: string; what: string; evidence?: Record<string, unknown> };

export const audited = async (
  { store, io, options }: CliContext,
  { slug, what, evidence }: Change,
): Promise<boolean> => {
  if (options.dryRun) return false;
  const entry = { at: new Date(io.now()).toISOString(), by: options.by, what, reason: options.reason };
  const written = await appendAudit(store.config, slug, {
    ...entry,
    ...(evidence === undefined ? {} : { evidence }),
  }).catch(() => false);
  if (!written) io.note(`The change is in force, but its entry in the audit of ${slug} could not be written.`);
  return written;
};
