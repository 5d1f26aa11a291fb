/** Writes the changes that an operator looks for into the log, once each: phases, holds, refused values, copies, the store. */
import { withoutValues } from '../agent/quarantine.ts';
import type { RouteState, RouteStates, StoreStatus } from '../coordination/ports.ts';
import type { Logger } from '../log.ts';

const logPhase = (logger: Logger, { slug, phase }: RouteState): void => {
  const { phase: name, epoch, reign, by, reason } = phase;
  const fields = { route: slug, phase: name, epoch, reign, held: phase.hold !== undefined, by, reason };
  logger.info(fields, 'phase applied');
};

const logErrors = (logger: Logger, { slug, errors }: RouteState, before: RouteState | undefined): void => {
  const known = new Set(before?.errors.map(({ key, message }) => `${key} ${message}`));
  for (const { key, message } of errors)
    if (!known.has(`${key} ${message}`)) logger.warn({ route: slug, key, problem: message }, 'value refused');
};

/** To be called with every new set of states. */
export const routeLog = (logger: Logger): ((states: RouteStates) => void) => {
  let before: RouteStates = new Map();
  return (states) => {
    for (const [slug, state] of states) {
      const last = before.get(slug);
      if (last?.phaseRevision !== state.phaseRevision) logPhase(logger, state);
      if (last !== state) logErrors(logger, state, last);
    }
    for (const slug of before.keys()) if (!states.has(slug)) logger.info({ route: slug }, 'route removed');
    before = states;
  };
};

/** To be called with each heartbeat: why copies of a route are being repeated, of which texts differ all the time. */
export const copyLog = (logger: Logger): ((slug: string, problems: readonly string[]) => void) => {
  const troubled = new Set<string>();
  return (slug, problems) => {
    if (problems.length > 0 === troubled.has(slug)) return;
    if (problems.length === 0) {
      troubled.delete(slug);
      logger.info({ route: slug }, 'copies get through again');
      return;
    }
    troubled.add(slug);
    logger.warn({ route: slug, problems: problems.map(withoutValues) }, 'copies do not get through and are repeated');
  };
};

export const storeLog = (logger: Logger): ((status: StoreStatus) => void) => {
  let last: Pick<StoreStatus, 'connected' | 'alarm'> | undefined;
  return ({ connected, alarm, kind, detail }) => {
    if (last?.connected === connected && last.alarm === alarm) return;
    const isFirst = last === undefined;
    last = { connected, alarm };
    if (alarm !== undefined)
      logger.error({ kind, detail, alarm }, 'the store raises an alarm, the last known good is kept');
    else if (connected) logger.info({ kind, detail }, 'store connected');
    else if (isFirst) logger.info({ kind, detail }, 'store not connected yet');
    else logger.warn({ kind, detail }, 'store out of reach');
  };
};
