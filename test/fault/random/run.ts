/**
 * A schedule of faults drawn from a seed, against real processes: agents, two clusters and NATS are killed, stopped, cut off,
 * lied to and restarted while clients write and two operators give commands. Then everything is healed, the migration is
 * brought to its end, and what is left on both sides is judged against what clients were told.
 * `npm run faults -- [--seed 1] [--minutes 3] [--only <fault>] [--except <fault>] [--keep <folder>]`; exit code 1 when
 * something is wrong. With CROSSFADE_TEST_SOURCE_URL and CROSSFADE_TEST_TARGET_URL it uses those clusters and kills neither.
 * The seed fixes what is drawn, not how processes interleave: a failure may need several runs to show again.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../sim/random.ts';
import type { Told } from './client.ts';
import { bringToEnd } from './ending.ts';
import { isOdd } from './explain.ts';
import { createFaults, type Faults } from './faults.ts';
import { type Mortal, mortalCluster } from './mortal.ts';
import { startOperators } from './operators.ts';
import { buildStage, type Stage } from './stage.ts';
import { startWorkload } from './workload.ts';

export type RunOptions = {
  seed: number;
  minutes: number;
  folder: string;
  urls: Record<'source' | 'target', string>;
  /** Undefined where they are not ours to kill. */
  clusters?: Record<'source' | 'target', Mortal> | undefined;
  only?: readonly string[] | undefined;
  except?: readonly string[] | undefined;
  perSecond?: number;
  say(text: string): void;
};

/** Until members have noticed that everything is healed. */
const noticeMs = 25_000;

const tally = (told: readonly Told[]): string =>
  [...Map.groupBy(told, ({ answer }) => answer)].map(([answer, list]) => `${answer}: ${list.length}`).join(', ');

type Playing = { stage: Stage; faults: Faults; options: RunOptions };
const play = async ({ stage, faults, options: { seed, minutes } }: Playing): Promise<void> => {
  const random = seededRandom(seed);
  // The middle of a switch is short: what goes wrong there has to be drawn there.
  stage.atPoint(async (name, point) => {
    stage.log(`${name} at ${point}`);
    if (!random.chance(0.3)) return;
    void faults.inject();
    await delay(random.between(0, 1_500));
  });
  const operators = startOperators({ ...stage, random: seededRandom(seed + 2) });
  // A schedule that always began at once would spend its time on the first steps.
  if (random.chance(0.7)) await stage.until(({ phase }) => phase !== 'off' && phase !== 'observe', 'copies');
  const endAt = Date.now() + minutes * 60_000;
  while (Date.now() < endAt) {
    void faults.inject();
    await delay(random.between(1_000, 14_000));
  }
  stage.log('healing');
  stage.atPoint(undefined);
  await Promise.all([operators.stop(), faults.heal()]);
  stage.log('healed');
  stage.problems.push(...operators.problems);
};

/** @returns what is wrong; empty when nothing is */
export const runSchedule = async (options: RunOptions): Promise<string[]> => {
  const { seed, folder, urls, clusters, only, except, perSecond = 16, say } = options;
  const random = seededRandom(seed + 3);
  const route = { cutover: { budgetMs: random.pick([3_000, 10_000]) } };
  const stage = await buildStage({ name: String(seed), folder, urls, route, say });
  const { slug, fleet, nats, relays, recorder, problems, log, status } = stage;
  try {
    const leader = (): string | undefined => status()?.leader ?? undefined;
    const faults = createFaults({ random, fleet, clusters, relays, nats, only, except, leader, log });
    const clients = { alias: slug, agents: fleet.urls, random: seededRandom(seed + 1) };
    const workload = startWorkload({ ...clients, recorder, perSecond });
    await play({ stage, faults, options });
    await bringToEnd(stage, { workload, urls, held: faults.held, healedAt: Date.now() + noticeMs });
    log(`answers: ${tally(workload.told)}; documents read: ${workload.reads.length}`);
    log(problems.length === 0 ? 'nothing is wrong' : `WRONG:\n${problems.join('\n')}`);
    const told = workload.told.filter(isOdd);
    writeFileSync(join(folder, 'operations.json'), JSON.stringify({ operations: recorder.operations, told }));
  } finally {
    await stage.close();
  }
  return problems;
};

/** @throws for what is no number, which would be a run of no time */
const positive = (name: string, text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} has to be a number above 0, not ${text}`);
  return value;
};

const fromArguments = async (): Promise<string[]> => {
  const text = { type: 'string' } as const;
  const list = { type: 'string', multiple: true } as const;
  const { values } = parseArgs({ options: { seed: text, minutes: text, keep: text, only: list, except: list } });
  const { keep = join(tmpdir(), 'crossfade-faults'), only, except } = values;
  const minutes = positive('minutes', values.minutes ?? '3');
  const seed = positive('seed', values.seed ?? String((Date.now() % 100_000) + 1));
  const folder = join(keep, `seed-${seed}`);
  const say = (line: string): void => void process.stdout.write(line);
  say(`seed ${seed}, kept in ${folder}\n`);
  const { CROSSFADE_TEST_SOURCE_URL: source, CROSSFADE_TEST_TARGET_URL: target } = process.env;
  const given = source === undefined || target === undefined ? undefined : { source, target };
  const clusters =
    given === undefined ? { source: await mortalCluster('source'), target: await mortalCluster('target') } : undefined;
  const urls = given ?? { source: clusters!.source.url, target: clusters!.target.url };
  const run = runSchedule({ seed, minutes, folder, urls, clusters, only, except, say });
  return run.finally(() => Promise.all([clusters?.source.stop(), clusters?.target.stop()]));
};

if (import.meta.main) {
  // Servers that stand still hear no signal but the one that they get when this process exits.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const problems = await fromArguments();
  process.exit(problems.length === 0 ? 0 : 1);
}
