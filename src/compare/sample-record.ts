/**
 * One kept mismatch as it leaves the process that found it, redacted: in the admin API, in the stream of samples, on the
 * command line. Read leniently, so that an older command line reads a newer agent. Values are hashes unless their field
 * is on the allow list.
 */
import * as z from 'zod';
import { comparableApis, differenceKinds, severities } from './types.ts';

const PathSegment = z.union([z.string(), z.number(), z.object({ key: z.string() })]);
const Difference = z.object({
  severity: z.enum(severities),
  kind: z.enum(differenceKinds),
  path: z.array(PathSegment),
  authority: z.string().exactOptional(),
  other: z.string().exactOptional(),
});
const KeptAnswer = z.object({
  status: z.int(),
  body: z.string().optional().describe('absent when there was none, it was not JSON, or it was too long to keep'),
  failure: z.string().optional(),
  shards: z.int().optional(),
});

export const SampleRecord = z.object({
  schema: z.literal(1),
  id: z.string(),
  at: z.string(),
  atMs: z.number(),
  member: z.string(),
  route: z.string(),
  severity: z.enum(severities),
  family: z.enum(comparableApis),
  shape: z.string().describe('fingerprint of the query shape'),
  shapeLabel: z.string(),
  authority: z.enum(['source', 'target']),
  summary: z.string(),
  settled: z.boolean().describe('the first difference was another one, gone after a refresh'),
  baseline: z
    .enum([...severities, 'none'])
    .optional()
    .describe('how the authority differed from itself; absent = not asked'),
  request: z.object({ method: z.string(), path: z.string(), query: z.string(), body: z.string().optional() }),
  differences: z.array(Difference),
  answers: z.object({ source: KeptAnswer, target: KeptAnswer }),
  authorityMs: z.number(),
  otherMs: z.number(),
  replayable: z.boolean().describe('the member still holds the request and may send it again'),
});
export type SampleRecord = z.infer<typeof SampleRecord>;

export const parseSample = (value: unknown): SampleRecord | undefined => SampleRecord.safeParse(value).data;

/** What a replay found, redacted like the sample. */
export const ReplayRecord = z.object({
  id: z.string(),
  severity: z.enum([...severities, 'none']),
  baseline: z.enum([...severities, 'none']).optional(),
  skipped: z.string().optional().describe('why nothing could be compared'),
  differences: z.array(Difference),
  answers: z.object({ source: KeptAnswer, target: KeptAnswer }).optional(),
  authorityMs: z.number().optional(),
  otherMs: z.number().optional(),
});
export type ReplayRecord = z.infer<typeof ReplayRecord>;
