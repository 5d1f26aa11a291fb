/**
 * The rules of comparison as data: what is ignored, soft, tolerated, and how hits are matched. An operator writes only
 * what differs from the defaults (a route's `shadow.profile`, or a file for the dry run). Compiled by rules.ts.
 *
 * Path patterns are dotted: `*` is one segment, `**` any number of them; a pattern that starts with `_source` or
 * `fields` means that part of every document, wherever it stands (hits, inner hits, top hits, get, mget).
 */
import * as z from 'zod';
import { severities } from './types.ts';

const PathPattern = z
  .string()
  .min(1)
  .regex(/^[^.]+(\.[^.]+)*$/, 'segments separated by single dots')
  .describe('dotted path; * = one segment, ** = any number');

export const MatchBy = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('id') }),
  z.strictObject({
    by: z.literal('field'),
    field: z.string().min(1).describe('dotted path inside _source that names the document on both sides'),
  }),
  z.strictObject({ by: z.literal('source') }).describe('equal _source = same document; for ids that differ on purpose'),
]);
export type MatchBy = z.infer<typeof MatchBy>;

const share = z.number().min(0).max(1);

export const Profile = z.strictObject({
  ignore: z.array(PathPattern).default([]).describe('differences here are not reported at all'),
  soft: z.array(PathPattern).default([]).describe('differences here are cosmetic (S9)'),
  severity: z
    .array(z.strictObject({ path: PathPattern, severity: z.enum(severities) }))
    .default([])
    .describe('differences here get this severity'),
  tolerance: z
    .array(
      z.strictObject({
        path: PathPattern,
        relative: z.number().min(0).default(0),
        absolute: z.number().min(0).default(0),
      }),
    )
    .default([])
    .describe('numbers here may differ by the larger of both bounds'),
  match: MatchBy.prefault({ by: 'id' }).describe(
    'what makes two hits the same document: {by: id}, {by: field, field: sku}, or {by: source}',
  ),
  totals: z
    .strictObject({
      relative: share.default(0).describe('how far hit totals and counts may differ'),
      absolute: z.int().min(0).default(0).describe('the same, in documents; the larger of both holds'),
    })
    .prefault({}),
  scores: z
    .strictObject({
      tolerance: share.default(1e-5).describe('relative; scores this close are equal, hits this close are tied'),
      band: share
        .default(0.1)
        .describe('relative noise of scores when both sides have the same shards, or share term statistics'),
      layoutBand: z
        .number()
        .min(0)
        .max(10)
        .default(1)
        .describe('the same when shard counts differ: term statistics are local to a shard; 1 = a factor of two'),
    })
    .prefault({}),
  rank: z
    .strictObject({
      persistence: z
        .number()
        .min(0.01)
        .max(0.999)
        .default(0.9)
        .describe('p of rank-biased overlap: 0.9 puts 86 % of the weight on the first ten'),
      rboFloor: share.default(0.98).describe('order differences above this rank-biased overlap are score-only (S8)'),
      judgedHits: z.int().min(1).max(1000).default(200).describe('hits whose order is judged'),
    })
    .prefault({}),
  knn: z
    .strictObject({
      recall: share
        .default(0.8)
        .describe(
          'least share of neighbours, or of hits whose order is not shown, that both sides must have in common',
        ),
    })
    .prefault({}),
  aggregations: z
    .strictObject({
      relative: share.default(1e-6).describe('sums, averages and what else hangs on the order of summation'),
      absolute: z
        .number()
        .min(0)
        .default(1e-9)
        .describe('the same for a plain sum or average, whose parts may cancel; the larger of both holds'),
      cardinality: share.default(0.06).describe('relative, above the precision threshold'),
      cardinalityExact: share.default(0.01).describe('relative, up to the precision threshold'),
      percentileRank: z
        .number()
        .min(0)
        .max(100)
        .default(2)
        .describe('percentage points by which a percentile may be displaced'),
      percentileValue: share.default(0.02).describe('relative'),
      significantOverlap: share
        .default(0.3)
        .describe('least share of significant terms that both sides must have in common'),
    })
    .prefault({}),
  headers: z
    .array(z.string().regex(/^[!-9;-~]+$/))
    .default([])
    .describe('answer headers to compare; none by default'),
  maxDifferences: z.int().min(1).max(1000).default(50).describe('differences kept per observation; all are counted'),
  maxPreviewChars: z.int().min(8).max(10_000).default(120).describe('length of the values shown with a difference'),
});
export type Profile = z.infer<typeof Profile>;

export const defaultProfile: Profile = Profile.parse({});
