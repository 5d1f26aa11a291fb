/**
 * Follows a by-query or reindex that runs on as a task of the cluster, so that its ticket is held until it has ended: a
 * switch of authority must not find it running. The client sees its id with the side in it.
 */

import type { Side } from '../../coordination/records.ts';
import { pause, systemTimers } from '../../coordination/timers.ts';
import { applyEdits, members, parseSlice, type Slice, skipSpace } from '../../json/scan.ts';
import { type ByQueryCounts, readCounts } from './by-query-request.ts';
import type { WriteDeps } from './ports.ts';

type Headers = Record<string, string | string[]>;
export type RunningTask = { readonly id: string; readonly slice: Slice };

/** The task that an answer to `wait_for_completion=false` names. */
export const taskOf = (body: Buffer): RunningTask | undefined => {
  try {
    const { task } = members(body, skipSpace(body, 0), ['task']);
    const id: unknown = task === undefined ? undefined : parseSlice(body, task);
    return task !== undefined && typeof id === 'string' ? { id, slice: task } : undefined;
  } catch {
    return undefined;
  }
};

export const showTask = (
  deps: WriteDeps,
  body: Buffer,
  { task, side, reign }: { task: RunningTask; side: Side; reign: number },
): Buffer => {
  const shown = deps.wrapTaskId?.(task.id, { side, reign }) ?? task.id;
  return shown === task.id ? body : applyEdits(body, [{ ...task.slice, text: JSON.stringify(shown) }]);
};

const firstPollMs = 200;
const longestPollMs = 5000;

/** Resolves with the counts of the ended task; undefined when its result is lost. */
export const followTask = async (
  deps: WriteDeps,
  { side, id, headers }: { side: Side; id: string; headers: Headers },
): Promise<ByQueryCounts | undefined> => {
  for (let waitMs = firstPollMs; ; waitMs = Math.min(longestPollMs, waitMs * 2)) {
    await pause(deps.timers ?? systemTimers, waitMs);
    const seen = await lookAt(deps, { side, id, headers });
    if (seen !== 'running') return seen;
  }
};

type Look = { side: Side; id: string; headers: Headers };
const lookAt = async (deps: WriteDeps, { side, id, headers }: Look): Promise<ByQueryCounts | undefined | 'running'> => {
  try {
    const { status, body } = await deps.transports[side].request({
      method: 'GET',
      path: `/_tasks/${encodeURIComponent(id)}`,
      headers: { ...headers, accept: 'application/json' },
      ownAccount: true,
    });
    if (status === 401 || status === 403 || status === 404) return undefined;
    const { completed, response } = members(body, skipSpace(body, 0), ['completed', 'response']);
    if (completed === undefined || parseSlice(body, completed) !== true) return 'running';
    return response === undefined ? undefined : readCounts(body, response.start);
  } catch {
    return 'running';
  }
};
