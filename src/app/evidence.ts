/**
 * What the shadow comparisons of this process say of each route: counts them, and judges when asked. Evidence is about one
 * state of a route; when its phase, its spec or the share of reads changes, counting begins again, so that a verdict never
 * rests on what was true of another step.
 */
import { ShapeRegistry } from '../compare/shape.ts';
import { Tally } from '../compare/summary.ts';
import { type Judgement, judge } from '../compare/verdict.ts';
import { defaultVerdictOptions } from '../compare/verdict-options.ts';
import type { RouteState } from '../coordination/ports.ts';
import type { ShadowReport } from '../proxy/shadow/ports.ts';

export interface Evidence {
  note(report: ShadowReport): void;
  judgement(slug: string): Judgement;
}

export type EvidenceOptions = {
  state: (slug: string) => RouteState | undefined;
  /** Milliseconds since the epoch. */
  now: () => number;
};

type Book = {
  about: string;
  step: number;
  tally: Tally;
  shapes: ShapeRegistry;
  judged: { atMs: number; judgement: Judgement } | undefined;
};

/** Heartbeats ask often, and some of them in the middle of a held switch. */
const judgeEveryMs = 1000;

/** What the evidence is about, as a text that changes when it does. */
const subjectOf = (state: RouteState | undefined): string =>
  state === undefined
    ? ''
    : [state.specRevision, state.phase.phase, state.phase.reign, state.percent.read, state.stop].join(' ');

export const createEvidence = ({ state, now }: EvidenceOptions): Evidence => {
  const books = new Map<string, Book>();
  const bookOf = (slug: string): Book => {
    const about = subjectOf(state(slug));
    const book = books.get(slug) ?? {
      about,
      step: 0,
      tally: new Tally(0),
      shapes: new ShapeRegistry(),
      judged: undefined,
    };
    books.set(slug, book);
    if (book.about !== about) {
      book.about = about;
      book.step += 1;
      book.judged = undefined;
      book.tally.restart(book.step);
    }
    return book;
  };
  return {
    note: (report) => {
      const { tally, shapes } = bookOf(report.slug);
      if (report.observation.discard === undefined) tally.note({ ...report, shape: shapes.admit(report.shape) });
    },
    judgement: (slug) => {
      const book = bookOf(slug);
      const atMs = now();
      if (book.judged === undefined || Math.abs(atMs - book.judged.atMs) >= judgeEveryMs)
        book.judged = { atMs, judgement: judge(book.tally.snapshot(), defaultVerdictOptions, atMs) };
      return book.judged.judgement;
    },
  };
};
