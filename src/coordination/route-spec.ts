/**
 * What an operator writes down for one route and `crossfade apply` stores under `rt.<slug>.cfg`: index pairs, aliases and
 * settings, with the default of each setting and the words that explain it in the reference. Strict, so that a misspelt
 * setting is an error and never a default. Holds no credentials.
 */
import * as z from 'zod';
import { Profile } from '../compare/profile.ts';
import { VerdictOptions } from '../compare/verdict-options.ts';
import { milliseconds } from './durations.ts';
import { Slug, sides } from './records.ts';

const IndexName = z.string().regex(/^[^A-Z\s"*+/\\|?#<>,:_-][^A-Z\s"*/\\|?#<>,:]{0,254}$/, 'a concrete index name');

export const IndexPair = z.strictObject({
  source: IndexName.describe('concrete index on the source'),
  target: IndexName.describe('concrete index on the target'),
});
export type IndexPair = z.infer<typeof IndexPair>;

export const RouteAlias = z.union([
  IndexName.transform((name) => ({ name })),
  z.strictObject({
    name: IndexName,
    indices: z
      .array(IndexName)
      .min(1)
      .optional()
      .describe('source index names the alias covers; default all of the route'),
    writeIndex: IndexName.optional().describe('source index that takes writes through the alias; default the only one'),
    routing: z.string().min(1).optional().describe('index routing that the alias carries on the source'),
  }),
]);
export type RouteAlias = {
  name: string;
  indices?: string[] | undefined;
  writeIndex?: string | undefined;
  routing?: string | undefined;
};

const ackPolicies = ['authority', 'both'] as const;

export const ReadSettings = z.strictObject({
  salt: z.string().optional().describe('hash salt of the sticky buckets; default the slug'),
  key: z
    .array(z.string().regex(/^(header:[!-9;-~]+|principal|preference|routing|connection)$/))
    .default(['principal', 'preference', 'routing', 'connection'])
    .describe(
      'where the sticky key comes from, first present wins: header:<name>, principal, preference, routing, connection',
    ),
  missingKey: z
    .enum(['authority', 'random'])
    .default('authority')
    .describe('reads without any key go to the authority, or draw per request'),
  allow: z.array(z.string()).default([]).describe('keys always sent to the follower while reads may go there (canary)'),
  deny: z.array(z.string()).default([]).describe('keys never sent to the follower; beats allow'),
  sideHeader: z.boolean().default(true).describe('x-crossfade-side in answers names the side that answered'),
});
export type ReadSettings = z.infer<typeof ReadSettings>;

/** Checked by the full schema and kept as written: defaults belong to the code that reads it. */
const overridesOf = (schema: z.ZodType) =>
  z.record(z.string(), z.unknown()).superRefine((value, context) => {
    const parsed = schema.safeParse(value);
    for (const { path, message } of parsed.error?.issues ?? []) context.addIssue({ code: 'custom', path, message });
  });

export const SampleSettings = z.strictObject({
  clearFields: z
    .array(z.string().min(1))
    .default([])
    .describe('document fields, by name or dotted path, whose values are kept in clear instead of as hashes'),
  stream: z
    .boolean()
    .default(false)
    .describe('also put samples into a stream of the store, those of all members in one'),
  replay: z
    .boolean()
    .default(false)
    .describe('keep the requests of samples in memory as they came, so that they can be sent again'),
});
export type SampleSettings = z.infer<typeof SampleSettings>;

export const ShadowSettings = z.strictObject({
  timeoutMs: milliseconds(1).default(10_000).describe('deadline of one shadow request'),
  maxConcurrent: z.int().min(1).default(8).describe('shadow requests under way at once'),
  maxQueued: z
    .int()
    .min(0)
    .default(256)
    .describe('samples waiting, to be asked or to be asked again; beyond it a sample is skipped as queue_full'),
  maxBodyBytes: z
    .int()
    .min(1024)
    .default(4 * 1024 * 1024)
    .describe('larger answers are skipped as too_large, and so are requests above 256 KiB'),
  baselinePercent: z
    .number()
    .min(0)
    .max(100)
    .default(10)
    .describe('share of samples that also ask the authority twice'),
  recheck: z
    .boolean()
    .default(true)
    .describe('a mismatch counts only after it was asked again and no write explains it'),
  profile: overridesOf(Profile).optional().describe('comparison rules over the default profile'),
  samples: SampleSettings.prefault({}),
  verdict: overridesOf(VerdictOptions).optional().describe('alpha, limits and sample sizes over the default ones'),
});
export type ShadowSettings = z.infer<typeof ShadowSettings>;

export const AutoSettings = z.strictObject({
  ramp: z
    .strictObject({
      steps: z.array(z.number().min(0).max(100)).min(1),
      dwellSeconds: z.number().min(1).default(600),
    })
    .optional()
    .describe('raise pct.read step by step while the verdict is promote'),
  rollback: z
    .strictObject({
      errorRatePercent: z.number().min(0).max(100).optional(),
      latencyWorsePercent: z.number().min(0).max(900).optional(),
      severity: z.enum(['S0', 'S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'S8']).optional(),
      lagSeconds: z.number().min(0).optional(),
      quarantined: z.int().min(0).optional(),
    })
    .optional()
    .describe('bring reads home when a limit is passed; each limit is off unless given'),
});
export type AutoSettings = z.infer<typeof AutoSettings>;

export const CopySettings = z.strictObject({
  flushMs: z.number().min(0).max(1000).default(5).describe('how long copies are gathered before a bulk is sent'),
  maxBatchDocs: z.int().min(1).default(500),
  maxBatchBytes: z
    .int()
    .min(1024)
    .default(4 * 1024 * 1024),
  maxConcurrent: z.int().min(1).default(4).describe('bulks under way to the follower at once'),
  maxPendingBytes: z
    .int()
    .min(0)
    .default(64 * 1024 * 1024)
    .describe('memory budget; beyond it copies are dropped and left to the tail'),
  ackTimeoutMs: milliseconds(1).default(2000).describe('policy both: how long an answer waits for its copies'),
  requestTimeoutMs: milliseconds(1).default(30_000),
});
export type CopySettings = z.infer<typeof CopySettings>;

export const BackfillSettings = z.strictObject({
  pageBytes: z
    .int()
    .min(1024)
    .default(4 * 1024 * 1024)
    .describe('aim for the size of one page; less where clients could suffer from large ones'),
  maxPageDocs: z.int().min(1).max(10_000).default(5000),
  chunkDocs: z.int().min(1).default(50_000).describe('sequence numbers in one chunk'),
  concurrency: z.int().min(1).default(2).describe('chunks one process works on at once'),
});
export type BackfillSettings = z.infer<typeof BackfillSettings>;

export const CutoverSettings = z.strictObject({
  budgetMs: milliseconds(50).default(2000).describe('longest hold before the cutover is given up'),
  graceMs: milliseconds(50).default(3000).describe('after the budget, members answer 503 instead of waiting'),
  maxHeldRequests: z.int().min(1).default(10_000),
});
export type CutoverSettings = z.infer<typeof CutoverSettings>;

export const RouteSpec = z
  .strictObject({
    route: Slug,
    indices: z.array(IndexPair).min(1).max(100),
    aliases: z.array(RouteAlias).default([]),
    ackPolicy: z.enum(ackPolicies).default('authority'),
    adminPolicy: z
      .enum(['refuse', 'authority'])
      .default('refuse')
      .describe('index administration on a routed index while not off'),
    versions: z
      .enum(['internal', 'external'])
      .default('internal')
      .describe('external: the application supplies version_type=external itself'),
    transform: z.string().optional().describe('module with (doc, meta) => doc | null, and its inverse'),
    createTarget: z
      .boolean()
      .default(false)
      .describe('create missing target indices from the source mapping and settings'),
    targetDocuments: z
      .enum(['refuse', 'replace'])
      .default('refuse')
      .describe(
        'a target whose documents are for the most part neither copied there by this route nor on the source: refused, or taken over, so that they are deleted',
      ),
    targetSettings: z.record(z.string(), z.unknown()).optional().describe('overrides when creating the target'),
    targetMappings: z.record(z.string(), z.unknown()).optional(),
    reads: ReadSettings.prefault({}),
    shadow: ShadowSettings.prefault({}),
    copies: CopySettings.prefault({}),
    backfill: BackfillSettings.prefault({}),
    cutover: CutoverSettings.prefault({}),
    auto: AutoSettings.prefault({}),
  })
  .superRefine((spec, context) => {
    const seen = new Set<string>();
    spec.indices.forEach((pair, i) => {
      for (const side of sides) {
        const key = `${side}:${pair[side]}`;
        if (seen.has(key))
          context.addIssue({ code: 'custom', path: ['indices', i, side], message: 'index named twice' });
        seen.add(key);
      }
    });
    const sources = new Set(spec.indices.map((pair) => pair.source));
    spec.aliases.forEach((alias, i) => {
      const named = [
        ...(('indices' in alias && alias.indices) || []),
        ...('writeIndex' in alias && alias.writeIndex ? [alias.writeIndex] : []),
      ];
      for (const name of named) {
        if (!sources.has(name))
          context.addIssue({
            code: 'custom',
            path: ['aliases', i],
            message: `${name} is not a source index of this route`,
          });
      }
    });
  });
export type RouteSpec = Omit<z.infer<typeof RouteSpec>, 'aliases'> & { aliases: RouteAlias[] };
