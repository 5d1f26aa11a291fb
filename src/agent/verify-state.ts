/**
 * What a verification is asked to do, how far it is, and what it found: plain data for the job record. The walks cover
 * the authority (missing and different documents) and the follower (extra ones); a sample is the same with short walks
 * from random positions.
 */
import * as z from 'zod';
import { sides } from '../coordination/records.ts';
import { IndexPosition } from './positions.ts';

export const verifyModes = ['count', 'stamp', 'hash', 'full'] as const;
export type VerifyMode = (typeof verifyModes)[number];

export const Walk = z.strictObject({
  side: z.enum(sides),
  ordinal: z.int().min(0),
  shard: z.int().min(0),
  at: z.int().min(-1),
  upTo: z.int().min(-1),
  docsLeft: z.int().min(0).optional().describe('ends the walk early, for samples'),
});
export type Walk = z.infer<typeof Walk>;

const findingKinds = ['missing', 'extra', 'different'] as const;
export const Finding = z.strictObject({
  kind: z.enum(findingKinds),
  ordinal: z.int().min(0),
  id: z.string(),
  routing: z.string().optional(),
  reason: z.string(),
  paths: z.array(z.string()).optional().describe('where the documents differ'),
});
export type Finding = z.infer<typeof Finding>;

export const VerifyState = z.strictObject({
  schema: z.literal(1),
  mode: z.enum(['stamp', 'hash', 'full']),
  authority: z.enum(sides),
  reign: z.int().min(1),
  pins: z.strictObject({ source: z.array(IndexPosition), target: z.array(IndexPosition) }),
  /** In order; finished ones are removed. */
  walks: z.array(Walk),
  total: z.int().min(0).describe('sequence numbers to walk when it began, for progress'),
  checked: z.int().min(0).describe('documents that one side or both hold and that could be compared'),
  unstable: z.int().min(0).describe('documents that kept changing while they were compared'),
  counts: z.strictObject({ missing: z.int(), extra: z.int(), different: z.int() }),
  /** At most `maxFindings`, and not much longer than `maxFindingsChars`; `counts` goes on. */
  findings: z.array(Finding),
  findingsChars: z.int().min(0),
});
export type VerifyState = z.infer<typeof VerifyState>;
const maxFindings = 1_000;
/** State and answer are values of the store, which takes 1 MB: long ids and paths make the list shorter. */
const maxFindingsChars = 400_000;

/** Sequence numbers still to walk. */
export const remaining = (walks: readonly Walk[]): number =>
  walks.reduce((sum, { at, upTo, docsLeft }) => sum + Math.min(upTo - at, docsLeft ?? upTo - at), 0);

export const addFinding = (state: VerifyState, finding: Finding): void => {
  state.counts[finding.kind]++;
  if (finding.kind === 'extra') state.checked++;
  if (state.findings.length >= maxFindings || state.findingsChars >= maxFindingsChars) return;
  state.findings.push(finding);
  state.findingsChars += JSON.stringify(finding).length;
};

/** Short windows spread a sample well; so many walks of a side, and not many more, fit into the store. */
const leastWindowDocs = 50;
const maxWindows = 1_000;

/** Short walks that together see about `docs` documents, spread at random over `walks` by their length. */
export const sampleWalks = (walks: readonly Walk[], docs: number, random: () => number): Walk[] => {
  const length = remaining(walks);
  if (length <= docs) return [...walks];
  const windowDocs = Math.max(leastWindowDocs, Math.ceil(docs / maxWindows));
  return Array.from({ length: Math.ceil(docs / windowDocs) }, (_, i) => {
    let skip = Math.floor(random() * length);
    const walk = walks.find(({ at, upTo }) => {
      const here = skip < upTo - at;
      if (!here) skip -= upTo - at;
      return here;
    }) as Walk;
    return { ...walk, at: walk.at + skip, docsLeft: Math.min(windowDocs, docs - i * windowDocs) };
  });
};
