/**
 * The leader of one route: campaigns for the lease and, while it holds it, takes turn after turn (turn.ts), at once when
 * somebody asks and else by the clock. What goes wrong in a turn is logged, and the next one begins from what is stored.
 */
import { Interruption } from './interruption.ts';
import { beginLeading, type Leading, type RouteLeaderDeps } from './leading.ts';
import { beginsAgain, turn } from './turn.ts';

export interface RouteLeader {
  /** Looks at once: an operator asked, or the stop key changed. */
  wake(): void;
  stop(): Promise<void>;
}

export const startRouteLeader = (deps: RouteLeaderDeps): RouteLeader => {
  const { runtime, lease, logger, slug, tickMs = 1000 } = deps;
  let leading: Leading | undefined;
  let stopped = false;
  let cancel = (): void => undefined;
  let awake: (() => void) | undefined;
  const interruption = new Interruption(runtime);
  const wake = (): void => {
    interruption.want();
    awake?.();
  };
  const endLead = (): void => {
    interruption.end();
    awake?.();
  };

  const once = async (): Promise<void> => {
    if (!lease.isHeld()) {
      if (leading !== undefined) deps.onStatus?.(slug, undefined);
      await leading?.work.quiesce();
      leading = undefined;
      return;
    }
    try {
      leading ??= await beginLeading(deps);
      await turn(leading, interruption);
    } catch (err) {
      if (beginsAgain(err)) {
        await leading?.work.quiesce();
        leading = undefined;
      }
      logger.warn({ err, slug }, 'leader step failed, will be repeated');
    }
  };
  const nap = (): Promise<void> =>
    new Promise((resolve) => {
      if (interruption.wanted) return resolve();
      awake = resolve;
      cancel = runtime.after(lease.isHeld() && leading === undefined ? Math.min(tickMs, 250) : tickMs, resolve);
    });
  const loop = async (): Promise<void> => {
    while (!stopped) {
      interruption.begin();
      await once();
      if (!stopped) await nap();
      cancel();
      awake = undefined;
    }
    await leading?.work.quiesce();
  };
  const unsubscribe = lease.onChange(() => {
    if (lease.isHeld()) return wake();
    deps.onStatus?.(slug, undefined);
    endLead();
  });
  const running = loop();
  return {
    wake,
    stop: async () => {
      stopped = true;
      unsubscribe();
      endLead();
      await running;
      await lease.release();
    },
  };
};
