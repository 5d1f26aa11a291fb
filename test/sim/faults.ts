/**
 * Which faults a run has and how often: drawn from the seed, each kind on in some runs only, because a run with
 * everything at once mostly shows that nothing works, and hides what one fault alone would break.
 */
import type { Random } from './random.ts';

export type Faults = {
  /** Per request to a cluster. */
  loseRequest: number;
  loseAnswer: number;
  /** The sender is told of a reset at once; the request arrives later all the same. */
  late: number;
  busy: number;
  /** The request takes long between being resolved and being applied. */
  slow: number;
  /** A copy arrives twice. */
  duplicate: number;
  /** Per request to the store. */
  storeLose: number;
  storeLate: number;
  dropPush: number;
  slowPush: number;
  /** Mean time between two, in ms; 0 = never. */
  crashEveryMs: number;
  stopEveryMs: number;
  partitionEveryMs: number;
  tombstonesEveryMs: number;
  failOverEveryMs: number;
  outageEveryMs: number;
  /** How the leader of a switch dies at a labelled point. */
  leaderDeath: number;
  foreignWrites: boolean;
  refusedDocuments: boolean;
};

export const noFaults: Faults = {
  loseRequest: 0,
  loseAnswer: 0,
  late: 0,
  busy: 0,
  slow: 0,
  duplicate: 0,
  storeLose: 0,
  storeLate: 0,
  dropPush: 0,
  slowPush: 0,
  crashEveryMs: 0,
  stopEveryMs: 0,
  partitionEveryMs: 0,
  tombstonesEveryMs: 0,
  failOverEveryMs: 0,
  outageEveryMs: 0,
  leaderDeath: 0,
  foreignWrites: false,
  refusedDocuments: false,
};

/** The rates of requests, all scaled: calm between storms, so that a migration gets anywhere at all. */
export const scaled = (faults: Faults, by: number): Faults => ({
  ...faults,
  loseRequest: faults.loseRequest * by,
  loseAnswer: faults.loseAnswer * by,
  late: faults.late * by,
  busy: faults.busy * by,
  slow: faults.slow * by,
  duplicate: faults.duplicate * by,
  storeLose: faults.storeLose * by,
  storeLate: faults.storeLate * by,
});

export const drawFaults = (random: Random): Faults => {
  if (random.chance(0.1)) return noFaults;
  const rate = (on: number, most: number): number => (random.chance(on) ? random.between(most / 10, most) : 0);
  const every = (on: number, fastest: number): number => (random.chance(on) ? random.between(fastest, fastest * 4) : 0);
  return {
    loseRequest: rate(0.4, 0.05),
    loseAnswer: rate(0.5, 0.1),
    late: rate(0.5, 0.1),
    busy: rate(0.4, 0.1),
    slow: rate(0.5, 0.2),
    duplicate: rate(0.4, 0.3),
    storeLose: rate(0.3, 0.05),
    storeLate: rate(0.3, 0.05),
    dropPush: rate(0.5, 0.3),
    slowPush: rate(0.5, 0.3),
    crashEveryMs: every(0.35, 20_000),
    stopEveryMs: every(0.35, 20_000),
    partitionEveryMs: every(0.35, 20_000),
    tombstonesEveryMs: every(0.6, 500),
    failOverEveryMs: every(0.5, 4_000),
    outageEveryMs: every(0.15, 30_000),
    leaderDeath: random.chance(0.5) ? random.between(0.2, 0.8) : 0,
    foreignWrites: random.chance(0.3),
    refusedDocuments: random.chance(0.15),
  };
};
