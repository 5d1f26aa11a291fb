/**
 * Each defence is needed: with it switched off, a few seeds are enough for the checker to see data go wrong, and the same
 * seed is clean with it. Seeds are tried in order until one is caught, because any change of the product gives every seed
 * another course. Harm that takes a long chain of chances is told as a story instead.
 */
import { describe, expect, it } from 'vitest';
import { mutantNames, mutants } from './mutants.ts';
import { simulate } from './world.ts';

const mostSeeds = 150;
/** Seconds on a quiet machine. */
const timeoutMs = 600_000;

describe('a simulated migration without one of its defences', () => {
  it.each(mutantNames)(
    'goes wrong without %s, and not with it',
    async (name) => {
      const { sabotage, ...rest } = mutants[name];
      for (let seed = 1; seed <= mostSeeds; seed++) {
        const { violations } = await simulate({ seed, sabotage, ...rest });
        if (violations.length === 0) continue;
        expect((await simulate({ seed, ...rest })).violations, `seed ${seed} goes wrong with it as well`).toEqual([]);
        return;
      }
      expect.fail(`${mostSeeds} seeds did not need it`);
    },
    timeoutMs,
  );
});
