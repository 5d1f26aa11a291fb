/**
 * What the shadow comparisons of this process say of each route: counts them, judges them when asked, and puts them into
 * the form in which the leader adds up all processes. When the subject changes (evidence-subject.ts) counting begins again.
 * A process's own verdict is for its heartbeat and its brake; what moves a route is the fleet's.
 */
import { evidenceText } from '../compare/evidence-record.ts';
import { Tally } from '../compare/summary.ts';
import { type Judgement, judge, judgeAgainMs } from '../compare/verdict.ts';
import { defaultVerdictOptions, verdictOptionsFrom } from '../compare/verdict-options.ts';
import { evidenceSubject } from '../coordination/evidence-subject.ts';
import type { RouteState } from '../coordination/ports.ts';
import type { ShadowReport, UnstableSample } from '../proxy/shadow/ports.ts';

export interface Evidence {
  /** Of what the evidence is about now; a sample may settle for longer than a change takes. */
  note(report: ShadowReport): void;
  /** A sample of the route found no place in the queue. */
  noteUnasked(slug: string): void;
  noteUnstable(sample: UnstableSample): void;
  judgement(slug: string): Judgement;
  /** For the store; undefined while nothing was ever compared. Empty in a new step, so that nothing old stands for it later. */
  record(slug: string): string | undefined;
}

export type EvidenceOptions = {
  member: string;
  /** Random per process start. */
  boot: string;
  state: (slug: string) => RouteState | undefined;
  /** The follower of the route is filled, as far as is known here. */
  isFilled: (slug: string) => boolean;
  /** Milliseconds since the epoch. */
  now: () => number;
};

type Book = {
  tally: Tally;
  judged: { atMs: number; judgement: Judgement } | undefined;
  isNew: boolean;
  hasCompared: boolean;
};

/** Heartbeats ask often, and some of them in the middle of a held switch. */
const judgeEveryMs = 1000;

export const createEvidence = ({ state, isFilled, now, ...teller }: EvidenceOptions): Evidence => {
  const books = new Map<string, Book>();
  const bookOf = (slug: string): Book => {
    const route = state(slug);
    const subject = route === undefined ? '' : evidenceSubject(route, isFilled(slug));
    const book = books.get(slug) ?? { tally: new Tally(subject), judged: undefined, isNew: false, hasCompared: false };
    books.set(slug, book);
    if (book.tally.restart(subject)) book.judged = undefined;
    return book;
  };
  const optionsOf = (slug: string) => {
    const overrides = state(slug)?.spec.shadow.verdict;
    return overrides === undefined ? defaultVerdictOptions : verdictOptionsFrom(overrides);
  };
  return {
    note: (report) => {
      if (report.observation.discard !== undefined) return;
      const book = bookOf(report.slug);
      // Judged by the rules of another spec, or seen in another phase.
      if (report.subject !== book.tally.subject) return;
      book.tally.note(report);
      book.isNew = true;
      book.hasCompared = true;
    },
    noteUnasked: (slug) => bookOf(slug).tally.noteUnasked(now()),
    noteUnstable: ({ slug, subject, shape, atMs }) => {
      const book = bookOf(slug);
      if (subject !== book.tally.subject) return;
      book.tally.noteUnstable(shape, atMs);
      book.isNew = true;
    },
    judgement: (slug) => {
      const book = bookOf(slug);
      const atMs = now();
      const keepMs = book.isNew ? judgeEveryMs : judgeAgainMs;
      if (book.judged === undefined || Math.abs(atMs - book.judged.atMs) >= keepMs) {
        book.judged = { atMs, judgement: judge(book.tally.current(), optionsOf(slug), atMs) };
        book.isNew = false;
      }
      return book.judged.judgement;
    },
    record: (slug) => {
      const { tally, hasCompared } = bookOf(slug);
      return hasCompared ? evidenceText(tally.snapshot(), teller) : undefined;
    },
  };
};
