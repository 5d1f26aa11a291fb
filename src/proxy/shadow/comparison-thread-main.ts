/**
 * What runs in the thread of comparison-thread.ts: one piece of work after the other, each answered by its number. Where cores
 * are short, the event loop that serves clients goes first: comparisons then take longer, samples wait, and those that find
 * no place are skipped.
 */
import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { compileProfile } from '../../compare/rules.ts';
import type { Observation } from '../../compare/types.ts';
import { carryOut } from './comparer.ts';
import type { Sent, SentTask, Told } from './comparison-thread.ts';
import { redacted } from './redaction-task.ts';

/** On Linux a priority is that of the thread which asks for it, elsewhere that of the whole process. */
const giveWay = (): void => {
  if (process.platform !== 'linux') return;
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A sandbox may forbid it; the verdict is the same.
  }
};

const compared = ({ profile, ...task }: SentTask): Observation => carryOut({ ...task, rules: compileProfile(profile) });

const told = ({ id, work }: Sent): Told => {
  try {
    return { id, result: 'task' in work ? compared(work.task) : redacted(work.redaction) };
  } catch (error) {
    return { id, error };
  }
};

giveWay();
parentPort?.on('message', (sent: Sent) => parentPort?.postMessage(told(sent)));
