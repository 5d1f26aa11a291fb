/** A Runtime whose clock stands still until told: timers fire in order, promises settle in between. */
import type { Runtime } from '../../src/agent/runtime.ts';

export type ManualRuntime = Runtime & {
  /** Moves the clock, firing what falls due on the way. */
  advance(ms: number): Promise<void>;
  /** Lets promises settle without moving the clock. */
  settle(): Promise<void>;
  /** Timers that have not fired. */
  pending(): number;
};

/** Turns of the event loop that any chain of ready promises in these tests finishes within. */
const turns = 5;

export const manualRuntime = (random: () => number = () => 0.5): ManualRuntime => {
  let nowMs = 0;
  let order = 0;
  const timers = new Map<number, { atMs: number; run: () => void }>();
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const nextDue = (untilMs: number): [number, { atMs: number; run: () => void }] | undefined =>
    [...timers].filter(([, { atMs }]) => atMs <= untilMs).sort(([i, a], [j, b]) => a.atMs - b.atMs || i - j)[0];
  return {
    now: () => nowMs,
    random,
    after: (delayMs, run) => {
      const id = ++order;
      timers.set(id, { atMs: nowMs + delayMs, run });
      return () => timers.delete(id);
    },
    advance: async (ms) => {
      const untilMs = nowMs + ms;
      await settle();
      for (let due = nextDue(untilMs); due !== undefined; due = nextDue(untilMs)) {
        timers.delete(due[0]);
        nowMs = Math.max(nowMs, due[1].atMs);
        due[1].run();
        await settle();
      }
      nowMs = untilMs;
    },
    settle,
    pending: () => timers.size,
  };
};

/** A Runtime for code whose waits only have to pass: every timer fires at once, the clock jumps along. */
export const hastyRuntime = (random: () => number = () => 0.5): Runtime => {
  let nowMs = 0;
  return {
    now: () => nowMs,
    random,
    after: (delayMs, run) => {
      const handle = setImmediate(() => {
        nowMs += delayMs;
        run();
      });
      return () => clearImmediate(handle);
    },
  };
};
