/**
 * The seeds of one test run, dealt to as many test files as there are, because each file gets a process of its own.
 * CROSSFADE_SIM_SEEDS says how many are run in all, CROSSFADE_SIM_FIRST where to begin. A seed that fails prints itself:
 * CROSSFADE_SIM_SEED=<n> runs that one again, to the last event, with its log.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { type Outcome, simulate } from './world.ts';

const wanted = process.env['CROSSFADE_SIM_SEED'];
const firstOfAll = Number(wanted ?? process.env['CROSSFADE_SIM_FIRST'] ?? 1);
const all = wanted === undefined ? Number(process.env['CROSSFADE_SIM_SEEDS'] ?? 2000) : 1;
const batch = 20;
/** A batch takes seconds; on a machine that is busy with other things it may take long, and that is no failure. */
const timeoutMs = 1_200_000;

/** A log costs more than the run, so only a seed that went wrong is run again with it. */
const told = async ({ seed, violations }: Outcome): Promise<string> => {
  const { log } = await simulate({ seed, keepLog: true });
  return [`seed ${seed}: run again with CROSSFADE_SIM_SEED=${seed}`, ...violations, ...log.slice(-60)].join('\n');
};

/** The seeds of file `part` of `parts`. */
export const simulateSeeds = ({ part, parts }: { part: number; parts: number }): void => {
  const first = firstOfAll + Math.floor((all * (part - 1)) / parts);
  const end = firstOfAll + Math.floor((all * part) / parts);

  describe.skipIf(first === end)('a simulated migration', () => {
    const sum = { seeds: 0, commits: 0, fast: 0, fenced: 0 };
    for (let from = first; from < end; from += batch) {
      const to = Math.min(from + batch, end) - 1;
      it(
        `loses nothing and revives nothing in seeds ${from} to ${to}`,
        async () => {
          for (let seed = from; seed <= to; seed++) {
            const outcome = await simulate({ seed });
            if (outcome.violations.length > 0) expect.fail(await told(outcome));
            sum.seeds++;
            sum.commits += outcome.commits;
            sum.fast += outcome.fast;
            sum.fenced += outcome.fenced;
          }
        },
        timeoutMs,
      );
    }

    it.skipIf(end - first < 40)('goes through switches on both paths, and not just through refusals', () => {
      expect(sum.commits).toBeGreaterThan(sum.seeds / 2);
      expect(sum.fast).toBeGreaterThan(0);
      expect(sum.fenced).toBeGreaterThan(0);
    });

    it(
      'replays a seed to the last event',
      async () => {
        const one = await simulate({ seed: first, keepLog: true });
        const two = await simulate({ seed: first, keepLog: true });
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
};
