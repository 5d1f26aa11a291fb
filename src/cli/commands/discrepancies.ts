/**
 * `discrepancies <slug>`: differences that shadow reads found, asked of every agent's admin listener, since samples are
 * kept where they were found. Values in them are redacted by the agent.
 */
import { readFleet } from '../../fleet/read-fleet.ts';
import type { AdminClient } from '../admin-client.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext, Outcome } from '../context.ts';
import { requireRoute } from '../route-states.ts';
import { table } from '../table.ts';

export type Filter = { severity: string | undefined; shape: string | undefined };
type Sample = { id?: string; at?: string; severity?: string; family?: string; shape?: string; summary?: string };

const queryOf = (filter: Filter): string => {
  const given = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
};

const adminUrls = async ({ store }: CliContext, admin: AdminClient): Promise<string[]> => {
  if (admin.url !== undefined) return [admin.url];
  const fleet = await readFleet(store);
  return fleet.members.flatMap((member) => member.admin ?? []);
};

export const discrepancies = async (
  context: CliContext,
  { slug, admin, ...filter }: Filter & { slug: string; admin: AdminClient },
): Promise<Outcome> => {
  await requireRoute(context.store, slug);
  const urls = await adminUrls(context, admin);
  if (urls.length === 0)
    throw new CliError('agent', 'No agent with an admin listener is running; set CROSSFADE_ADMIN_URL.');
  const path = `/api/routes/${slug}/discrepancies${queryOf(filter)}`;
  const answers = await Promise.allSettled(urls.map((url) => admin.get(url, path)));
  const failed = answers.flatMap((answer, i) =>
    answer.status === 'rejected' ? [`${urls[i]}: ${(answer.reason as Error).message}`] : [],
  );
  for (const text of failed) context.io.note(text);
  if (failed.length === urls.length) throw new CliError('agent', 'No agent could be asked.');
  const samples = answers.flatMap((answer) =>
    answer.status === 'fulfilled' ? ((answer.value as { discrepancies?: Sample[] }).discrepancies ?? []) : [],
  );
  const rows = samples.map(({ id = '', at = '', severity = '', family = '', shape = '', summary = '' }) => [
    id,
    at,
    severity,
    family,
    shape,
    summary,
  ]);
  return {
    text:
      rows.length === 0
        ? `no discrepancy of ${slug} is kept`
        : table(['id', 'at', 'severity', 'family', 'shape', 'summary'], rows),
    json: { route: slug, discrepancies: samples, unreachable: failed },
    next: `status ${slug}`,
  };
};
