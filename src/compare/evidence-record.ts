/**
 * What a member tells the fleet of its comparisons: the counters of its summary in a short, bounded form. The leader adds
 * up what all processes of a route have told, also those that are gone, and judges once. Shapes are cut to the most
 * frequent ones and the rest counts as `other`: frequency says nothing of equality, so choosing by it biases no verdict.
 * Windows of a shape's latencies are told for as many of the most frequent ones as fit.
 * Invariant: a record holds no value of a request or a document, and never more than `maxBytes`.
 */
import * as z from 'zod';
import { otherShape } from './shape.ts';
import {
  addShape,
  type Counters,
  emptyCounters,
  type LatencyCounters,
  ratioBounds,
  type ShapeSummary,
  type Summary,
} from './summary.ts';

const count = z.int().min(0);
/** Position to count; zeros are left out. */
const Sparse = z.record(z.string().regex(/^\d{1,2}$/), count);

const PackedLatency = z.tuple([count, count, count, count]);

const PackedCounters = z.strictObject({
  n: count.describe('comparisons'),
  s: Sparse.optional().describe('of these by severity'),
  p: count.optional().describe('baseline pairs'),
  b: Sparse.optional().describe('of these, how the authority differed from itself'),
  o: Sparse.optional().describe('only the other side differed so'),
  a: Sparse.optional().describe('only the authority differed from itself so'),
  l: PackedLatency.optional().describe('latency: pairs, slower, only other, only authority slow'),
  r: Sparse.optional().describe('latency ratios'),
  q: count.optional().describe('samples that found no place'),
  u: count.optional().describe('samples that only documents under way explain'),
});
type PackedCounters = z.infer<typeof PackedCounters>;

const PackedWindow = z.strictObject({ t: z.int().describe('slot'), l: PackedLatency, r: Sparse });
const mostWindows = 100;

/** `job.<slug>.evidence.<boot>` */
export const EvidenceRecord = z.strictObject({
  schema: z.literal(1),
  member: z.string(),
  boot: z.string(),
  subject: z.string(),
  lastAtMs: z.number(),
  windows: z.array(z.strictObject({ slot: z.int(), c: PackedCounters })).max(mostWindows),
  shapes: z.record(
    z.string().regex(/^[0-9a-f]{16}$|^other$/),
    z.strictObject({
      label: z.string(),
      c: PackedCounters,
      w: z.array(PackedWindow).max(mostWindows).optional().describe('latencies by window'),
    }),
  ),
});
export type EvidenceRecord = z.infer<typeof EvidenceRecord>;

export const evidenceBounds = { maxShapes: 32, maxBytes: 24 * 1024 } as const;

const sparse = (list: readonly number[]): Record<string, number> | undefined => {
  const entries = list.flatMap((value, i) => (value === 0 ? [] : [[String(i), value] as const]));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

const dense = (packed: Readonly<Record<string, number>> | undefined, length: number): number[] =>
  Array.from({ length }, (_, i) => packed?.[i] ?? 0);

const packLatency = ({ pairs, slower, onlyOtherSlow, onlyAuthoritySlow }: LatencyCounters) =>
  [pairs, slower, onlyOtherSlow, onlyAuthoritySlow] as z.infer<typeof PackedLatency>;

/** JSON leaves undefined members out. */
const pack = ({
  compared,
  bySeverity,
  pairs,
  baseline,
  onlyOther,
  onlyBaseline,
  latency,
  unasked,
  unstable,
}: Counters): PackedCounters => ({
  n: compared,
  s: sparse(bySeverity),
  p: pairs || undefined,
  b: sparse(baseline),
  o: sparse(onlyOther),
  a: sparse(onlyBaseline),
  l: latency.pairs === 0 ? undefined : packLatency(latency),
  r: sparse(latency.ratios),
  q: unasked || undefined,
  u: unstable || undefined,
});

const unpackLatency = (l: z.infer<typeof PackedLatency>, r: z.infer<typeof Sparse> | undefined): LatencyCounters => {
  const [pairs, slower, onlyOtherSlow, onlyAuthoritySlow] = l;
  return { pairs, slower, onlyOtherSlow, onlyAuthoritySlow, ratios: dense(r, ratioBounds.length + 1) };
};

const unpack = ({ n, s, p = 0, b, o, a, l = [0, 0, 0, 0], r, q = 0, u = 0 }: PackedCounters): Counters => {
  const severities = (packed: typeof s) => dense(packed, emptyCounters().bySeverity.length);
  return {
    compared: n,
    bySeverity: severities(s),
    pairs: p,
    baseline: severities(b),
    onlyOther: severities(o),
    onlyBaseline: severities(a),
    latency: unpackLatency(l, r),
    unasked: q,
    unstable: u,
  };
};

type Shapes = Summary['shapes'];

const frequency = ({ counters: { compared, unstable } }: ShapeSummary): number => compared + unstable;

/** The most frequent shapes by name, everything else as `other`. */
export const mostFrequent = (shapes: Shapes, maxShapes: number): Shapes => {
  const { fingerprint: rest, label } = otherShape;
  const ranked = Object.entries(shapes)
    .filter(([name]) => name !== rest)
    .sort(([x, a], [y, b]) => frequency(b) - frequency(a) || (x < y ? -1 : 1));
  const cut = ranked.slice(maxShapes).map(([, shape]) => shape);
  const left = [...(shapes[rest] ? [shapes[rest]] : []), ...cut];
  const kept = Object.fromEntries(ranked.slice(0, maxShapes));
  return left.length === 0 ? kept : { ...kept, [rest]: { ...left.reduce(addShape), label } };
};

type Teller = { member: string; boot: string };
type Bounds = { shapes: number; inWindows: number };

const packShape = ({ label, counters, lately }: ShapeSummary, inWindows: boolean) => ({
  label,
  c: pack(counters),
  ...(inWindows &&
    lately.length > 0 && {
      w: lately.map(({ slot, counters: latency }) => ({
        t: slot,
        l: packLatency(latency),
        r: sparse(latency.ratios) ?? {},
      })),
    }),
});

const recordWith = (summary: Summary, { member, boot }: Teller, { shapes, inWindows }: Bounds): EvidenceRecord => ({
  schema: 1,
  member,
  boot,
  subject: summary.subject,
  lastAtMs: summary.lastAtMs,
  windows: summary.windows.map(({ slot, counters }) => ({ slot, c: pack(counters) })),
  shapes: Object.fromEntries(
    Object.entries(mostFrequent(summary.shapes, shapes)).map(([name, shape], i) => [
      name,
      packShape(shape, i < inWindows),
    ]),
  ),
});

/** First the windows of the less frequent shapes are left out, then these shapes. */
const fewer = ({ shapes, inWindows }: Bounds): Bounds =>
  inWindows > 0 ? { shapes, inWindows: Math.floor(inWindows / 2) } : { shapes: Math.floor(shapes / 2), inWindows: 0 };

/** The record as text, with as many shapes as fit. */
export const evidenceText = (
  summary: Summary,
  teller: Teller,
  { maxShapes, maxBytes }: { maxShapes: number; maxBytes: number } = evidenceBounds,
): string => {
  // The one of the rest comes last.
  for (let bounds = { shapes: maxShapes, inWindows: maxShapes + 1 }; ; bounds = fewer(bounds)) {
    const text = JSON.stringify(recordWith(summary, teller, bounds));
    // Labels are not ASCII only, so characters are not bytes.
    if (bounds.shapes === 0 || Buffer.byteLength(text) <= maxBytes) return text;
  }
};

/** Undefined when it cannot be read: unknown evidence is no evidence. */
export const parseEvidence = (text: string): EvidenceRecord | undefined => {
  try {
    return EvidenceRecord.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

export const summaryOfRecord = ({ subject, lastAtMs, windows, shapes }: EvidenceRecord): Summary => ({
  schema: 1,
  subject,
  lastAtMs,
  windows: windows.map(({ slot, c }) => ({ slot, counters: unpack(c) })),
  shapes: Object.fromEntries(
    Object.entries(shapes).map(([name, { label, c, w = [] }]) => [
      name,
      { label, counters: unpack(c), lately: w.map(({ t, l, r }) => ({ slot: t, counters: unpackLatency(l, r) })) },
    ]),
  ),
});
