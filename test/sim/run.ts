/**
 * Runs seeds by hand: `node test/sim/run.ts <from> <to>`; one seed with its whole log: `node test/sim/run.ts <seed>`; seeds
 * that catch a mutant, and what they say without it: `node test/sim/run.ts <from> <to> <mutant>`.
 */
import { type MutantName, mutants } from './mutants.ts';
import { simulate } from './world.ts';

const [from = '1', to, mutant] = process.argv.slice(2);
const first = Number(from);
const last = to === undefined ? first : Number(to);
const { sabotage = {}, ...fixed } = mutant === undefined ? {} : mutants[mutant as MutantName];
const began = performance.now();
const sum = { seeds: 0, failed: 0, events: 0, commits: 0, fast: 0, fenced: 0 };
for (let seed = first; seed <= last; seed++) {
  const outcome = await simulate({ seed, sabotage, ...fixed, keepLog: to === undefined });
  sum.seeds++;
  sum.events += outcome.events;
  sum.commits += outcome.commits;
  sum.fast += outcome.fast;
  sum.fenced += outcome.fenced;
  if (to === undefined) console.log(outcome.log.join('\n'));
  if (outcome.violations.length === 0 && to !== undefined) continue;
  if (outcome.violations.length > 0) sum.failed++;
  console.log(`seed ${seed}: ${outcome.violations[0] ?? 'clean'}`);
  if (mutant === undefined) continue;
  const [without = 'clean'] = (await simulate({ seed, ...fixed })).violations;
  console.log(`seed ${seed} without the mutant: ${without}`);
}
const seconds = (performance.now() - began) / 1000;
console.log({ ...sum, seconds, perSecond: sum.seeds / seconds, eventsPerSecond: Math.round(sum.events / seconds) });
