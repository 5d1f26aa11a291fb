/**
 * What the members tell each other for the dashboards, in the bucket of things that expire: who looks, what each member
 * counts, and samples of mismatches. It goes through the store because the admin listeners of other pods are on loopback
 * as a rule. Nobody writes any of it while nobody looks. Pure: schemas and readers.
 */
import * as z from 'zod';
import type { Entry } from '../coordination/ports.ts';
import { parseRecord } from '../coordination/parse-record.ts';

/** `watch.<member>`: somebody looks at a dashboard of this member, and at the samples of these routes. */
export const WatchRecord = z.object({ schema: z.literal(1), samples: z.array(z.string()).max(1000) });
export type WatchRecord = z.infer<typeof WatchRecord>;

/** `found.<member>`: its newest samples per route, redacted where they were taken. */
export const FoundRecord = z.object({
  schema: z.literal(1),
  member: z.string(),
  routes: z.record(z.string(), z.array(z.looseObject({ id: z.string(), at: z.string(), severity: z.string() }))),
});
export type FoundRecord = z.infer<typeof FoundRecord>;
export type Sample = FoundRecord['routes'][string][number] & { member: string };

type Ranked = { at: string; severity: string };
const gravestFirst = (a: Ranked, b: Ranked): number => {
  if (a.severity !== b.severity) return a.severity < b.severity ? -1 : 1;
  return a.at < b.at ? 1 : -1;
};

export const samplesIn = (entries: readonly Entry[], slug: string): Sample[] =>
  entries
    .flatMap(({ value }) => {
      const record = parseRecord(FoundRecord, value);
      return (record?.routes[slug] ?? []).map((sample) => ({ ...sample, member: record?.member ?? '' }));
    })
    .sort(gravestFirst);

/** As many as fit into `maxBytes` of JSON, the gravest and of these the newest: many slight ones must not hide them. */
export const fitting = <T extends Ranked>(samples: readonly T[], maxBytes: number): T[] => {
  let left = maxBytes;
  const fitted: T[] = [];
  for (const sample of samples.toSorted(gravestFirst)) {
    left -= JSON.stringify(sample).length;
    if (left < 0) break;
    fitted.push(sample);
  }
  return fitted;
};
