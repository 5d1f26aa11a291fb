/**
 * The verdict of all members as one: reads the evidence that every process of the route left in the store, those that
 * ended included, adds it up and judges once. Evidence about another subject does not count; what nobody will add to any
 * more is removed. Missing or unreadable evidence is none, and none means hold.
 * Invariant: the judgement depends on what is in the store alone, so that a new leader says what the last one said.
 */
import { type EvidenceRecord, parseEvidence, summaryOfRecord } from '../../compare/evidence-record.ts';
import { type Summary, sumSummaries } from '../../compare/summary.ts';
import { type Judgement, judge, judgeAgainMs } from '../../compare/verdict.ts';
import { verdictOptionsFrom } from '../../compare/verdict-options.ts';
import { slotMs } from '../../compare/windows.ts';
import { evidenceSubject } from '../../coordination/evidence-subject.ts';
import { evidencePrefix } from '../../coordination/keys.ts';
import type { Bucket, Entry, RouteState } from '../../coordination/ports.ts';

export type FleetVerdictOptions = {
  bucket: Pick<Bucket, 'list' | 'delete'>;
  slug: string;
  /** The follower is filled. */
  isFilled: () => boolean;
  /** Monotonic milliseconds. */
  now: () => number;
  /** Milliseconds since the epoch. */
  wallMs: () => number;
};
export type FleetJudgement = {
  judgement: Judgement;
  /** What it rests on. */
  summary: Summary;
  /** Processes that told something about the present subject. */
  tellers: number;
};

type Told = {
  revision: number;
  record: EvidenceRecord | undefined;
  summary: Summary | undefined;
  sinceMs: number;
  /** By the wall clock: nothing in it can be newer. */
  seenAtMs: number;
};

/** Members learn of a change within seconds; evidence that still speaks of the past after this is a departed one's. */
const foreignForMs = 60_000;
/** A process that crashes in a loop leaves one key per start. */
const maxKeys = 500;
/** Several parts of a leader's turn ask. */
const reuseMs = 500;

export class FleetVerdict {
  readonly #options: FleetVerdictOptions;
  readonly #told = new Map<string, Told>();
  #last: { state: RouteState; subject: string; atMs: number; judged: FleetJudgement } | undefined;
  /** By the wall clock, as evidence grows old by it. */
  #judgedAtMs = Number.NEGATIVE_INFINITY;
  /** Somebody has told more than was judged. */
  #isNew = true;

  constructor(options: FleetVerdictOptions) {
    this.#options = options;
  }

  async judge(state: RouteState): Promise<FleetJudgement> {
    const nowMs = this.#options.now();
    const subject = evidenceSubject(state, this.#options.isFilled());
    const last = this.#last?.state === state && this.#last.subject === subject ? this.#last : undefined;
    if (last !== undefined && nowMs - last.atMs < reuseMs) return last.judged;
    await this.#read();
    const judged = last !== undefined && this.#isFresh() ? last.judged : this.#judge(state, subject);
    this.#last = { state, subject, atMs: nowMs, judged };
    await this.#tidy(judged.summary);
    return judged;
  }

  async #read(): Promise<void> {
    const { bucket, slug } = this.#options;
    let entries: readonly Entry[];
    try {
      entries = await bucket.list(evidencePrefix(slug));
    } catch {
      // What was read before stays what was seen; it grows old and then means hold.
      return;
    }
    const present = new Set(entries.map(({ key }) => key));
    for (const key of this.#told.keys()) if (!present.has(key)) this.#isNew = this.#told.delete(key);
    for (const entry of entries) this.#take(entry);
  }

  #take({ key, value, revision }: Entry): void {
    const before = this.#told.get(key);
    if (before?.revision === revision) return;
    const record = parseEvidence(value);
    // Written again without a comparison more.
    const isKnown = before !== undefined && before.record?.lastAtMs === record?.lastAtMs;
    const seenAtMs = isKnown ? before.seenAtMs : this.#options.wallMs();
    this.#isNew = true;
    this.#told.set(key, {
      revision,
      record,
      summary: record && notAhead(summaryOfRecord(record), seenAtMs),
      sinceMs: this.#options.now(),
      seenAtMs,
    });
  }

  #isFresh(): boolean {
    return !this.#isNew && Math.abs(this.#options.wallMs() - this.#judgedAtMs) < judgeAgainMs;
  }

  #judge(state: RouteState, subject: string): FleetJudgement {
    this.#isNew = false;
    this.#judgedAtMs = this.#options.wallMs();
    const summaries = [...this.#told.values()].flatMap(({ summary }) => (says(summary, subject) ? summary : []));
    const summary = sumSummaries(summaries, subject);
    const options = verdictOptionsFrom(state.spec.shadow.verdict);
    return { judgement: judge(summary, options, this.#options.wallMs()), summary, tellers: summaries.length };
  }

  async #tidy(summary: Summary): Promise<void> {
    for (const key of this.#outdated(summary)) {
      const revision = this.#told.get(key)?.revision;
      // Whoever is still there has written it anew, or will.
      await this.#options.bucket.delete(key, revision).catch(() => undefined);
    }
  }

  #outdated({ subject, windows }: Summary): string[] {
    const nowMs = this.#options.now();
    const oldest = windows[0]?.slot ?? Number.NEGATIVE_INFINITY;
    const keys = [...this.#told].flatMap(([key, { summary, sinceMs }]) => {
      const isForeign = summary?.subject !== subject && nowMs - sinceMs > foreignForMs;
      const isOld = summary?.subject === subject && (summary.windows.at(-1)?.slot ?? 0) < oldest;
      return isForeign || isOld ? [key] : [];
    });
    const byAge = [...this.#told].sort(([, a], [, b]) => (a.record?.lastAtMs ?? 0) - (b.record?.lastAtMs ?? 0));
    return [...keys, ...byAge.slice(0, Math.max(0, this.#told.size - maxKeys)).map(([key]) => key)];
  }
}

const says = (summary: Summary | undefined, subject: string): summary is Summary =>
  summary?.subject === subject && summary.windows.length > 0;

/** A member whose clock is ahead must make neither everybody else's evidence look old, nor its own new for hours. */
const notAhead = (summary: Summary, seenAtMs: number): Summary => {
  const seenSlot = Math.floor(seenAtMs / slotMs);
  const clamp = <T extends { slot: number }>(windows: readonly T[]): T[] =>
    windows.map((one) => ({ ...one, slot: Math.min(one.slot, seenSlot) }));
  return {
    ...summary,
    lastAtMs: Math.min(summary.lastAtMs, seenAtMs),
    windows: clamp(summary.windows),
    shapes: Object.fromEntries(
      Object.entries(summary.shapes).map(([name, { lately, ...shape }]) => [name, { ...shape, lately: clamp(lately) }]),
    ),
  };
};
