/**
 * Seeds of the simulation, as many as fit. A seed that fails prints itself: CROSSFADE_SIM_SEED=<n> runs that one again, to
 * the last event, with its log. CROSSFADE_SIM_SEEDS says how many are run, CROSSFADE_SIM_FIRST where to begin.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { type Outcome, simulate } from './world.ts';

const wanted = process.env['CROSSFADE_SIM_SEED'];
const first = wanted === undefined ? Number(process.env['CROSSFADE_SIM_FIRST'] ?? 1) : Number(wanted);
const count = wanted === undefined ? Number(process.env['CROSSFADE_SIM_SEEDS'] ?? 80) : 1;
const batch = 10;
/** A batch takes seconds; on a machine that is busy with other things it may take long, and that is no failure. */
const timeoutMs = 600_000;

const told = ({ seed, violations, log }: Outcome): string =>
  [`seed ${seed}: run again with CROSSFADE_SIM_SEED=${seed}`, ...violations, ...log.slice(-60)].join('\n');

describe('a simulated migration', () => {
  const sum = { seeds: 0, commits: 0, fast: 0, fenced: 0 };
  for (let from = first; from < first + count; from += batch) {
    const to = Math.min(from + batch, first + count) - 1;
    it(
      `loses nothing and revives nothing in seeds ${from} to ${to}`,
      async () => {
        for (let seed = from; seed <= to; seed++) {
          const outcome = await simulate({ seed, keepLog: wanted !== undefined });
          expect(outcome.violations, told(outcome)).toEqual([]);
          sum.seeds++;
          sum.commits += outcome.commits;
          sum.fast += outcome.fast;
          sum.fenced += outcome.fenced;
        }
      },
      timeoutMs,
    );
  }

  it.skipIf(count < 40)('goes through switches on both paths, and not just through refusals', () => {
    expect(sum.commits).toBeGreaterThan(sum.seeds / 2);
    expect(sum.fast).toBeGreaterThan(0);
    expect(sum.fenced).toBeGreaterThan(0);
  });

  it(
    'replays a seed to the last event',
    async () => {
      const [one, two] = [
        await simulate({ seed: first, keepLog: true }),
        await simulate({ seed: first, keepLog: true }),
      ];
      expect(two.log).toEqual(one.log);
      expect(two.digest).toBe(one.digest);
      expect((await simulate({ seed: first + 1 })).digest).not.toBe(one.digest);
    },
    timeoutMs,
  );

  afterAll(() => {
    if (sum.seeds > 0) process.stdout.write(`simulated: ${JSON.stringify(sum)}\n`);
  });
});
