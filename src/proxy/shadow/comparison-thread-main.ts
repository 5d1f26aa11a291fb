/**
 * What runs in the thread of comparison-thread.ts: one comparison after the other, each answered by its number. Where cores
 * are short, the event loop that serves clients goes first: comparisons then take longer, samples wait, and those that find
 * no place are skipped.
 */
import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { compileProfile } from '../../compare/rules.ts';
import { carryOut } from './comparer.ts';
import type { Sent, Told } from './comparison-thread.ts';

/** On Linux a priority is that of the thread which asks for it, elsewhere that of the whole process. */
const giveWay = (): void => {
  if (process.platform !== 'linux') return;
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A sandbox may forbid it; the verdict is the same.
  }
};

const told = ({ id, task: { profile, ...task } }: Sent): Told => {
  try {
    return { id, observation: carryOut({ ...task, rules: compileProfile(profile) }) };
  } catch (error) {
    return { id, error };
  }
};

giveWay();
parentPort?.on('message', (sent: Sent) => parentPort?.postMessage(told(sent)));
