/**
 * Lanes that work side by side, as many as are wanted at the moment: more are opened as soon as more are wanted, and of too many
 * the last ones rest once their present turn is over. Invariant: no turn is cut short but by the signal.
 */
import { every, type Runtime, sleep } from './runtime.ts';

export type Lanes = {
  /** At least one. */
  wanted: () => number;
  /** A piece of work; ends soon after the signal has fired. */
  turn: () => Promise<void>;
  runtime: Runtime;
  signal: AbortSignal;
};

const lookEveryMs = 1_000;

/** Resolves once the signal has fired and every turn has ended. */
export const runLanes = async ({ wanted, turn, runtime, signal }: Lanes): Promise<void> => {
  const lanes: Promise<void>[] = [];
  const lane = async (at: number): Promise<void> => {
    while (!signal.aborted) await (at < wanted() ? turn() : sleep(runtime, lookEveryMs, signal));
  };
  const open = (): void => {
    while (lanes.length < wanted()) lanes.push(lane(lanes.length));
  };
  open();
  const stop = every(runtime, lookEveryMs, open);
  await lanes[0];
  stop();
  await Promise.all(lanes);
};
