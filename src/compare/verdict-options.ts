/** What an operator may set of the verdict, with defaults that suit a service with an error budget of about 1 %. */
import * as z from 'zod';

const share = z.number().gt(0).max(1);
const limit = z.number().gt(0).lt(1).nullable();

/** Largest tolerated share of comparisons per severity, beyond the authority's own noise; null = never judged. */
export const SeverityLimits = z.strictObject({
  S0: limit.default(0.01).describe('the other side failed'),
  S1: limit.default(0.005).describe('another status'),
  S2: limit.default(0.01).describe('partial there only'),
  S3: limit.default(0.005).describe('totals'),
  S4: limit.default(0.005).describe('missing or extra hits'),
  S5: limit.default(0.01).describe('order'),
  S6: limit.default(0.005).describe('aggregations'),
  S7: limit.default(0.005).describe('content of documents'),
  S8: limit.default(null).describe('scores'),
  S9: limit.default(null).describe('cosmetic'),
});
export type SeverityLimits = z.infer<typeof SeverityLimits>;

export const VerdictOptions = z.strictObject({
  alpha: z
    .number()
    .gt(0)
    .lt(0.5)
    .default(0.01)
    .describe('chance of a rollback while every limit is kept, over one span of windows'),
  promoteAlpha: z.number().gt(0).lt(0.5).default(0.05).describe('chance of promote while some limit is exceeded'),
  minSamples: z.int().min(1).default(500).describe('comparisons before promote'),
  maxSamples: z.int().min(1).default(50_000).describe('comparisons after which undecided means inconclusive'),
  minEffect: z
    .number()
    .min(0)
    .max(1)
    .default(0.005)
    .describe('excess over the noise that a rollback by baseline needs'),
  requireBaseline: z
    .boolean()
    .default(true)
    .describe(
      'S3 to S9 count against the other side only beyond noise that was measured; false when no baseline is taken',
    ),
  minPairs: z.int().min(1).default(100).describe('baseline pairs before S3 to S9 can count against the other side'),
  maxNoise: share
    .default(0.01)
    .describe('noise believed possible before the baseline shows any: small where mismatches are re-checked, else 1'),
  staleMs: z
    .int()
    .min(1)
    .default(15 * 60_000)
    .describe('without comparisons for so long, evidence is missing: hold'),
  maxUnasked: share
    .default(0.2)
    .describe('share of samples that may be skipped as queue_full before promote: they spare the other side'),
  maxUnstable: share
    .default(0.2)
    .describe('share of samples, of the route or of a frequent shape, that may be skipped as unstable before promote'),
  maxShapes: z.int().min(1).default(100).describe('shapes judged one by one; they share half of alpha'),
  limits: SeverityLimits.prefault({}),
  latency: z
    .strictObject({
      rollback: z
        .boolean()
        .default(false)
        .describe('false: a slower other side bars promote, but is no reason to roll back'),
      minPairs: z.int().min(1).default(200).describe('latencies compared before the other side can be called slower'),
    })
    .prefault({}),
});
export type VerdictOptions = z.infer<typeof VerdictOptions>;

/** The options of a route: only what differs from the defaults was written, and was checked when it was. */
export const verdictOptionsFrom = (overrides: unknown): VerdictOptions =>
  VerdictOptions.safeParse(overrides ?? {}).data ?? defaultVerdictOptions;

export const defaultVerdictOptions: VerdictOptions = VerdictOptions.parse({});
