/**
 * Draws faults and carries them out: each holds for a while, is healed by itself, and is kept with its times, so that what
 * clients were told meanwhile can be explained. Several hold at once, at most one on each thing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Act, faultKinds, type KindsOptions, type Thing } from './fault-kinds.ts';

export type Held = { what: string; on: Thing; from: number; to: number };
export type FaultsOptions = KindsOptions & {
  /** Names of those to draw from, when not from all. */
  only?: readonly string[] | undefined;
  /** Names of those that are not to be drawn. */
  except?: readonly string[] | undefined;
  log(what: string): void;
};
export type Faults = {
  held: Held[];
  /** One more, if something is whole; resolves once it is healed. */
  inject(name?: string): Promise<void>;
  /** Ends all that hold, and waits until everything is up. */
  heal(): Promise<void>;
};

export const createFaults = (options: FaultsOptions): Faults => {
  const { random, fleet, relays, only, except = [], log } = options;
  const held: Held[] = [];
  const running = new Set<Promise<void>>();
  const ended = new AbortController();
  const kinds = faultKinds(options, {
    isFree: (on) => !held.some((one) => one.on === on && one.to === Infinity),
    hold: (low, high) =>
      delay(random.between(low, high) * 1000, undefined, { signal: ended.signal }).catch(() => undefined),
  });
  const unknown = [...(only ?? []), ...except].filter((name) => !(name in kinds));
  if (unknown.length > 0) throw new Error(`no fault is named ${unknown.join(', ')}: ${Object.keys(kinds).join(', ')}`);
  const names = (only ?? Object.keys(kinds)).filter((name) => !except.includes(name));
  if (names.length === 0) throw new Error('no fault is left to draw');
  const draw = (): string | undefined => {
    let left = random.next() * names.reduce((sum, name) => sum + kinds[name]!.weight, 0);
    return names.find((name) => (left -= kinds[name]!.weight) < 0);
  };
  const carryOut = async ({ on, what, act }: Act): Promise<void> => {
    const one: Held = { what, on, from: Date.now(), to: Infinity };
    held.push(one);
    log(`fault: ${on} ${what}`);
    await act();
    one.to = Date.now();
    log(`healed: ${on} ${what}`);
  };
  return {
    held,
    inject: (name = draw()) => {
      const act = ended.signal.aborted || name === undefined ? undefined : kinds[name]?.plan();
      if (act === undefined) return Promise.resolve();
      const work = carryOut(act).finally(() => running.delete(work));
      running.add(work);
      return work;
    },
    heal: async () => {
      ended.abort();
      await Promise.all(running);
      for (const relay of Object.values(relays)) relay.behave();
      await fleet.heal();
    },
  };
};
