/**
 * Each defence is needed: with it switched off, a few seeds are enough for the checker to see data go wrong, and the same
 * seed is clean with it. Seeds are tried in order until one is caught, because any change of the product gives every seed
 * another story.
 */
import { describe, expect, it } from 'vitest';
import { mutantNames, mutants } from './mutants.ts';
import { simulate } from './world.ts';

const mostSeeds = 60;
/**
 * Left out: `term`, whose harm takes a dirty read that is lost with the primary just before a switch and that no seed has
 * shown; `barrier`, because ledger and fence behind it leave it so little to do that a seed in some dozens shows it;
 * `unclear`, whose harm takes a copy that arrives in the few milliseconds between a commit and its fence.
 */
const rare = new Set<string>(['term', 'barrier', 'unclear']);
const caught = mutantNames.filter((name) => !rare.has(name));
/** Seconds on a quiet machine. */
const timeoutMs = 600_000;

describe('a simulated migration without one of its defences', () => {
  it.each(caught)(
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
