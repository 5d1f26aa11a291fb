/** CPU time and memory of a process with its children, as Linux accounts for them in /proc, and the core that they run on. */
import { readdirSync, readFileSync } from 'node:fs';
import { run } from '../../test/support/services/prerequisites.ts';

const ticksPerSecond = 100;

const statOf = (pid: number): { parent: number; ticks: number } | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
};

const family = (root: number): number[] => {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (stat !== undefined) parents.set(pid, stat.parent);
  }
  const isDescendant = (pid: number): boolean =>
    pid === root || (parents.has(pid) && pid > 1 && isDescendant(parents.get(pid) ?? 0));
  return [...parents.keys()].filter(isDescendant);
};

/** Seconds of CPU that the process and its children have used. */
export const cpuSeconds = (pid: number): number =>
  family(pid).reduce((sum, one) => sum + (statOf(one)?.ticks ?? 0), 0) / ticksPerSecond;

/** Resident megabytes of the process and its children. */
export const residentMb = (pid: number): number =>
  family(pid).reduce((sum, one) => {
    try {
      const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0;
      return sum + Number(kb) / 1024;
    } catch {
      return sum;
    }
  }, 0);

/** Keeps the process and its children, with all their threads, on one core from now on. */
export const pin = async (pid: number, core: number): Promise<void> => {
  for (const one of family(pid))
    await run('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(one)]);
};
