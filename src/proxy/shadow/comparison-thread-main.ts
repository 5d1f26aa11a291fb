/** What runs in the thread of comparison-thread.ts: one comparison after the other, each answered by its number. */
import { parentPort } from 'node:worker_threads';
import { compileProfile } from '../../compare/rules.ts';
import { carryOut } from './comparer.ts';
import type { Sent, Told } from './comparison-thread.ts';

const told = ({ id, task: { profile, ...task } }: Sent): Told => {
  try {
    return { id, observation: carryOut({ ...task, rules: compileProfile(profile) }) };
  } catch (error) {
    return { id, error };
  }
};

parentPort?.on('message', (sent: Sent) => parentPort?.postMessage(told(sent)));
