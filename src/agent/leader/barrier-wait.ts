/** Waits until every member has reported what a step needs, woken by heartbeats; the rule itself is membership.ts's. */

import type { Members } from '../../coordination/members.ts';
import { type BarrierQuery, type BarrierResult, barrier } from '../../coordination/membership.ts';
import type { Runtime } from '../runtime.ts';

export type BarrierWait = Omit<BarrierQuery, 'nowMs'> & { timeoutMs: number };
export type BarrierDeps = { members: Pick<Members, 'view' | 'onChange'>; runtime: Runtime };

/** The last result: open, or what it was still waiting for when the time was up. */
export const awaitBarrier = (
  { members, runtime }: BarrierDeps,
  { timeoutMs, ...query }: BarrierWait,
): Promise<BarrierResult> =>
  new Promise((resolve) => {
    const deadline = runtime.now() + timeoutMs;
    let cancelTimer = (): void => undefined;
    const look = (): void => {
      const result = barrier(members.view(), { ...query, nowMs: runtime.now() });
      const leftMs = deadline - runtime.now();
      if (!result.ok && leftMs > 0) {
        // Some doubts end with time alone, without a heartbeat to tell.
        cancelTimer();
        cancelTimer = runtime.after(Math.min(leftMs, 100), look);
        return;
      }
      cancelTimer();
      unsubscribe();
      resolve(result);
    };
    const unsubscribe = members.onChange(look);
    look();
  });

/** For messages: who is waited for and why. */
export const waitingText = ({ waitingFor }: BarrierResult): string =>
  waitingFor.map(({ member, reason }) => `${member}: ${reason}`).join('; ');
