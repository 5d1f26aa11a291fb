/**
 * Two people at the command line who do not talk to each other: one brings the migration on as the status allows, back and
 * forth, the other asks for whatever comes to mind. Each command is kept with how it ended.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { RouteStatus } from '../../../src/fleet/fleet-status.ts';
import type { Random } from '../../sim/random.ts';
import type { Ran } from '../../support/agent-process.ts';

export type OperatorsOptions = {
  slug: string;
  random: Random;
  cli(...args: string[]): Promise<Ran>;
  status(): RouteStatus | undefined;
  log(what: string): void;
};
export type Operators = { problems: string[]; stop(): Promise<void> };

const next = ({ phase, safeToAdvance, safeToRollBack, hold }: RouteStatus, slug: string): string[] | undefined => {
  if (hold !== null) return undefined;
  if (phase === 'off' || phase === 'observe') return ['phase', slug, 'dual', '--timeout', '40'];
  if (phase === 'dual' && safeToAdvance.ok) return ['advance', slug, '--wait', '--yes', '--timeout', '60'];
  if (phase === 'target' && safeToRollBack.ok) return ['rollback', slug, '--wait', '--yes', '--timeout', '60'];
  return undefined;
};

const whims = (slug: string, random: Random): string[][] => {
  const wait = ['--wait', '--yes', '--timeout', '30'];
  return [
    ['pause', slug, ...wait],
    ['resume', slug, ...wait],
    ['abort', slug, ...wait],
    ['repair', slug, ...wait],
    ['verify', slug, '--mode', random.pick(['count', 'stamp', 'hash', 'full']), ...wait],
    ['advance', slug, '--rehearse', ...wait],
    ['advance', slug, '--yes'],
    ['rollback', slug, '--yes'],
    ['phase', slug, 'observe', '--yes', '--timeout', '30'],
    ['route', 'set', `${slug}.pct.read`, String(random.pick([0, 30, 100]))],
    ['route', 'set', `${slug}.pct.shadow`, String(random.pick([0, 20, 100]))],
    ['route', 'set', `${slug}.pct.write`, String(random.pick([0, 50, 100]))],
    ['route', 'set', `${slug}.stop`, random.pick(['on', 'off', 'off'])],
    ['route', 'reset', slug],
    ['status', slug],
    ['members'],
    ['audit', slug],
  ];
};

export const startOperators = ({ slug, random, cli, status, log }: OperatorsOptions): Operators => {
  const problems: string[] = [];
  const ended = new AbortController();
  const rest = (low: number, high: number): Promise<void> =>
    delay(random.between(low, high) * 1000, undefined, { signal: ended.signal }).catch(() => undefined);
  const run = async (who: string, args: string[]): Promise<void> => {
    const { exit, out, err } = await cli(...args);
    const text = `${out}${err}`.trim().replace(/\s+/g, ' ');
    log(`${who}: ${args.filter((arg) => arg !== slug).join(' ')}: exit ${exit}: ${text.slice(0, 300)}`);
    if (exit === 70 || exit === -1 || /\n\s+at .*\.ts:/.test(err))
      problems.push(`${args.join(' ')}: exit ${exit}: ${text}`);
  };
  const bringOn = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await rest(1, 6);
      const now = status();
      const args = now === undefined ? undefined : next(now, slug);
      if (args !== undefined && !ended.signal.aborted) await run('first', args);
    }
  };
  const meddle = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await rest(5, 20);
      if (ended.signal.aborted) return;
      const args = random.pick(whims(slug, random));
      await run('second', args);
      // A pause that nobody ends would be the whole run.
      if (args[0] === 'pause') {
        await rest(3, 10);
        await run('second', ['resume', slug, '--wait', '--yes', '--timeout', '30']);
      }
    }
  };
  const both = Promise.all([bringOn(), meddle()]);
  return {
    problems,
    stop: async () => {
      ended.abort();
      await both;
    },
  };
};
