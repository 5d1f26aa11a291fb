/**
 * Asks the leader of a route through an agent's admin API, as the dashboard does. A command would start a process of its
 * own for each question, which on a small machine takes the time that is to be measured.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Ask, AskResult } from '../../src/coordination/records.ts';
import type { RouteStatus } from '../../src/fleet/fleet-status.ts';

const headers = { 'content-type': 'application/json' };
const pollMs = 250;
const giveUpMs = 120_000;

export type RouteAdmin = {
  status(): Promise<RouteStatus>;
  /** @throws when it did not come true within two minutes */
  until(holds: (now: RouteStatus) => boolean, what: string): Promise<RouteStatus>;
  /** Until it is done. @throws when it was refused or given up */
  ask(action: Ask['action'], args?: Record<string, unknown>): Promise<void>;
};

export const routeAdmin = (adminUrl: string, slug: string): RouteAdmin => {
  const base = `${adminUrl}/api/routes/${slug}`;
  const get = async <T>(path: string): Promise<T> => (await (await fetch(`${base}${path}`)).json()) as T;
  const status = (): Promise<RouteStatus> => get('');
  const poll = async <T>(look: () => Promise<T | undefined>, what: string): Promise<T> => {
    for (let waited = 0; waited < giveUpMs; waited += pollMs) {
      const found = await look();
      if (found !== undefined) return found;
      await delay(pollMs);
    }
    throw new Error(`${what} did not come true`);
  };
  return {
    status,
    until: (holds, what) =>
      poll(async () => {
        const now = await status();
        return holds(now) ? now : undefined;
      }, what),
    ask: async (action, args = {}) => {
      const body = JSON.stringify({ action, args, by: 'bench' });
      const { id } = (await (await fetch(`${base}/ask`, { method: 'POST', headers, body })).json()) as { id: string };
      const result = await poll(async () => {
        const answer = (await get<{ result: AskResult | null }>('/ask')).result;
        return answer?.id === id && answer.state !== 'running' ? answer : undefined;
      }, `the answer to ${action}`);
      if (result.state !== 'done') throw new Error(`${action} ${result.state}: ${result.message}`);
    },
  };
};
