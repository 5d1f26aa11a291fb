/**
 * Pure: the ledger of a reign. A sequence number on the authority is consumed only by a write that succeeds, and each
 * member counts its writes whose copy was acknowledged; so since a moment when both sides were proven equal and nothing
 * was under way, growth of the sequence numbers = growth of the counts, or somebody wrote past the sidecars or a copy is
 * missing. A copy whose answer never came may arrive once more, past the end of its reign: it is counted as well.
 * Invariant: every doubt makes the ledger `unsure`, never balanced: then the slower proof decides.
 */
import * as z from 'zod';

const LineRecord = z.strictObject({
  member: z.string(),
  /** Counts when the ledger was opened; zeros for a boot that came later. */
  base: z.array(z.int()),
  /** Counts last seen; kept after the member is gone, because its writes stay written. */
  counts: z.array(z.int()),
  /** Writes left to the tail since the ledger was opened: they explain growth and prove nothing. */
  left: z.array(z.int()).default([]),
  leftBase: z.array(z.int()).default([]),
  /** Requests with copies whose answer never came, of any reign: they may arrive until they are fenced. */
  unclear: z.int().default(0),
  unclearBase: z.int().default(0),
});
export const Ledger = z.strictObject({
  schema: z.literal(1),
  reign: z.int().min(1),
  /** By ordinal: sequence numbers given out over all shards when the ledger was opened. */
  base: z.array(z.int().min(0)),
  /** By boot. */
  lines: z.record(z.string(), LineRecord),
  unsure: z.array(z.string()),
});
export type Ledger = z.infer<typeof Ledger>;

/** What a heartbeat says, see MemberRoute. */
export type LedgerSample = {
  member: string;
  boot: string;
  reign: number;
  ledger: readonly number[];
  left?: readonly number[] | undefined;
  unclear?: number | undefined;
};

/** Sequence numbers given out over all shards of an index. */
export const seqTotal = (shards: readonly { maxSeqNo: number }[]): number =>
  shards.reduce((sum, { maxSeqNo }) => sum + maxSeqNo + 1, 0);

/** A member that has not yet written in this reign may still report the one before. */
const countsIn = (reign: number, sample: LedgerSample, length: number): { counts: number[]; left: number[] } => {
  const { ledger, left = [] } = sample.reign === reign ? sample : { ledger: [] };
  const whole = (counts: readonly number[]) => Array.from({ length }, (_, i) => counts[i] ?? 0);
  return { counts: whole(ledger), left: whole(left) };
};

/** Opens the ledger at a moment of rest: both sides proven equal, every member drained and in `samples`. */
export const openLedger = (reign: number, totals: readonly number[], samples: readonly LedgerSample[]): Ledger => {
  const lines = samples.map((sample) => {
    const { counts, left } = countsIn(reign, sample, totals.length);
    const { member, boot, unclear = 0 } = sample;
    return [boot, { member, base: counts, counts, left, leftBase: left, unclear, unclearBase: unclear }] as const;
  });
  return { schema: 1, reign, base: [...totals], lines: Object.fromEntries(lines), unsure: [] };
};

const note = (ledger: Ledger, doubt: string): Ledger =>
  ledger.unsure.includes(doubt) ? ledger : { ...ledger, unsure: [...ledger.unsure, doubt].slice(0, 20) };

/** Takes in what a member reports now. */
export const observe = (ledger: Ledger, sample: LedgerSample): Ledger => {
  const { member, boot, unclear = 0 } = sample;
  if (sample.reign > ledger.reign) return note(ledger, `${member} is in a later reign`);
  const { counts, left } = countsIn(ledger.reign, sample, ledger.base.length);
  const known = ledger.lines[boot];
  if (known === undefined) {
    const line = {
      member,
      base: counts.map(() => 0),
      counts,
      left,
      leftBase: left.map(() => 0),
      unclear,
      unclearBase: 0,
    };
    const next = { ...ledger, lines: { ...ledger.lines, [boot]: line } };
    // It may have counted before the ledger was opened; those writes would hide as many foreign ones.
    return counts.some((count) => count > 0) ? note(next, `${member} was first seen with writes`) : next;
  }
  if (counts.some((count, i) => count < (known.counts[i] ?? 0))) return note(ledger, `${member} counted backwards`);
  return { ...ledger, lines: { ...ledger.lines, [boot]: { ...known, counts, left, unclear } } };
};

/** Stands for the processes whose lines were added up; like theirs, its name is among nobody who reports. */
const goneBoots = 'gone';
const mostGone = 20;

type Line = z.infer<typeof LineRecord>;
const addUp = (lines: readonly Line[], length: number): Line => {
  const sum = (of: (line: Line) => readonly number[]) =>
    Array.from({ length }, (_, i) => lines.reduce((total, line) => total + (of(line)[i] ?? 0), 0));
  return {
    member: 'earlier processes',
    base: sum(({ base }) => base),
    counts: sum(({ counts }) => counts),
    left: sum(({ left }) => left),
    leftBase: sum(({ leftBase }) => leftBase),
    unclear: lines.reduce((total, { unclear }) => total + unclear, 0),
    unclearBase: lines.reduce((total, { unclearBase }) => total + unclearBase, 0),
  };
};

/**
 * The same balance in bounded space: of processes that do not report any more only the newest keep a line of their own.
 * Should one of the others come back, it counts as first seen with writes, which makes the ledger unsure.
 */
export const foldGone = (ledger: Ledger, present: ReadonlySet<string>): Ledger => {
  const gone = Object.keys(ledger.lines).filter((boot) => boot !== goneBoots && !present.has(boot));
  const over = new Set(gone.slice(0, -mostGone));
  if (over.size === 0) return ledger;
  const isFolded = ([boot]: [string, Line]): boolean => over.has(boot) || boot === goneBoots;
  const all = Object.entries(ledger.lines);
  const folded = addUp(
    all.filter(isFolded).map(([, line]) => line),
    ledger.base.length,
  );
  return { ...ledger, lines: { [goneBoots]: folded, ...Object.fromEntries(all.filter((one) => !isFolded(one))) } };
};

export type Balance = {
  /** By ordinal: growth of the authority minus what members account for. */
  unaccounted: number[];
  /** The same minus what members say they left to the tail: what nobody has an explanation for. */
  unexplained: number[];
  /** Requests with copies that were never answered since the ledger was opened. */
  unclear: number;
  /** Every number is accounted for, and nothing that was sent can still arrive. */
  balanced: boolean;
  unsure: readonly string[];
};

/** Requests with copies that were never answered since the ledger was opened. */
export const unclearIn = ({ lines }: Ledger): number =>
  Object.values(lines).reduce((sum, { unclear, unclearBase }) => sum + unclear - unclearBase, 0);

const sumOf = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

/** Writes that were left to the tail since the ledger was opened. */
export const leftIn = ({ lines }: Ledger): number =>
  Object.values(lines).reduce((sum, { left, leftBase }) => sum + sumOf(left) - sumOf(leftBase), 0);

/** `totals` must have been read at rest, and every live member observed since, for `balanced` to prove anything. */
export const balance = (ledger: Ledger, totals: readonly number[]): Balance => {
  const unaccounted = ledger.base.map((base, i) => {
    const counted = Object.values(ledger.lines).reduce(
      (sum, line) => sum + (line.counts[i] ?? 0) - (line.base[i] ?? 0),
      0,
    );
    return (totals[i] ?? 0) - base - counted;
  });
  const unexplained = unaccounted.map((rest, i) => {
    const lines = Object.values(ledger.lines);
    return lines.reduce((sum, { left, leftBase }) => sum - (left[i] ?? 0) + (leftBase[i] ?? 0), rest);
  });
  const unclear = unclearIn(ledger);
  const even = totals.length === ledger.base.length && unaccounted.every((rest) => rest === 0);
  const balanced = even && unclear === 0 && ledger.unsure.length === 0;
  return { unaccounted, unexplained, unclear, balanced, unsure: ledger.unsure };
};
