/** A seeded stream of comparisons with known truth, fed into counters, for measuring how verdicts behave. */
import { type Counters, emptyCounters, emptySummary, type Summary } from '../../../src/compare/summary.ts';
import { judge } from '../../../src/compare/verdict.ts';
import type { VerdictOptions } from '../../../src/compare/verdict-options.ts';
import type { Random } from '../../fixtures/compare/catalog.ts';

export type Truth = {
  /** Rank of the severity at which things differ. */
  rank: number;
  /** Share of comparisons in which the other side is truly different. */
  bad: number;
  /** Share in which any two answers differ, whoever gives them. */
  noise: number;
  /** Share of comparisons with a baseline. */
  baseline: number;
};

export const noteOne = (counters: Counters, { rank, bad, noise, baseline }: Truth, random: Random): void => {
  const differs = random() < noise || random() < bad;
  counters.compared++;
  if (differs) counters.bySeverity[rank]!++;
  if (random() >= baseline) return;
  const noisy = random() < noise;
  counters.pairs++;
  if (noisy) counters.baseline[rank]!++;
  if (differs && !noisy) counters.onlyOther[rank]!++;
  if (noisy && !differs) counters.onlyBaseline[rank]!++;
};

export const summaryOf = (counters: Counters): Summary => ({
  ...emptySummary('1'),
  lastAtMs: 1,
  windows: [{ slot: 0, counters }],
});

export type Run = { rollbackAt: number | undefined; promoteAt: number | undefined };

/** Looks at the verdict every `look` comparisons, as an impatient operator would. */
export const simulate = (
  truth: Truth,
  settings: { samples: number; look: number; options: VerdictOptions; random: Random },
): Run => {
  const counters = emptyCounters();
  let promoteAt: number | undefined;
  for (let n = 1; n <= settings.samples; n++) {
    noteOne(counters, truth, settings.random);
    if (n % settings.look !== 0) continue;
    const { verdict } = judge(summaryOf(counters), settings.options, 1);
    if (verdict === 'rollback') return { rollbackAt: n, promoteAt };
    if (verdict === 'promote') promoteAt ??= n;
  }
  return { rollbackAt: undefined, promoteAt };
};

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
