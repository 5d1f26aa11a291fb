/**
 * A process that serves before the store has had its first heartbeat: no barrier waits for it, so a switch that trusts the
 * ledger alone could overlook its writes. Until it is heard it claims each epoch it writes under: it takes one sequence
 * number that no member accounts for, and only then looks whether a switch has been prepared. Either the switch is
 * prepared before that look, and this process serves nothing; or the balance of the ledger, struck later, misses the
 * number, and the switch goes through the fence (I6, I10). It follows no newer phase by itself until it was heard and has
 * read the phases after that. A route that is `off` for it is served until an alias tells that it has left `off`: no fence
 * would stop writes by the plain name. For the same reason, where what it kept is old, nothing is served while the source has an
 * alias of a route that this process does not know: that may have been applied and cut over since.
 */
import { type AliasAnswer, hasLaterStay, isPresentEpoch, slugsIn } from '../coordination/authority-from-aliases.ts';
import { aliasWildcard, epochAlias, ownAliases } from '../coordination/keys.ts';
import type { RouteState } from '../coordination/ports.ts';
import { authorityIn } from '../coordination/records.ts';
import type { Logger } from '../log.ts';
import type { Transport, Transports } from '../upstream/types.ts';
import type { RouteView } from './route-view.ts';

export type StandAloneDeps = {
  view: Pick<RouteView, 'states' | 'inDoubt' | 'standAlone' | 'catchUp' | 'takePart'>;
  heard: () => boolean;
  /** What this process kept was true minutes ago, so no route can have been applied and cut over since. */
  isRecent: boolean;
  /** Nothing is served any more. */
  isOver: () => boolean;
  /** Looks at the phases; whoever begins a move after it has heard of this process. */
  refresh: () => Promise<void>;
  /** Of the agent's own work, with rights to write. */
  transports: Transports;
  pause: (ms: number) => Promise<void>;
  logger: Logger;
};

const everyMs = 2_000;
const timeoutMs = 3_000;
/** A document that nobody has: deleting it changes nothing and takes a sequence number. */
export const claimedId = 'crossfade-unheard';

/** A phase read from aliases tells the side only, so `final` may be `target`. */
const claim = async (transports: Transports, { slug, spec, phase }: RouteState): Promise<boolean> => {
  // Writes go through no epoch.
  if (phase.phase === 'off') return true;
  const transport = transports[authorityIn(phase.phase)];
  const taken = await Promise.all(
    spec.indices.map(async (_, ordinal) => {
      // Some indices require a routing; our aliases carry none that could contradict it.
      const path = `/${encodeURIComponent(epochAlias(slug, phase.epoch, ordinal))}/_doc/${claimedId}?routing=${claimedId}`;
      const { body } = await transport.request({ method: 'DELETE', path, timeoutMs });
      return /"result":"(not_found|deleted)"/.test(body.toString('utf8'));
    }),
  );
  return taken.every(Boolean);
};

/** Undefined when the cluster does not tell. */
const aliasesOf = async (transport: Transport, pattern: string): Promise<AliasAnswer | undefined> => {
  const path = `/_alias/${encodeURIComponent(pattern)}`;
  const { status, body } = await transport.request({ method: 'GET', path, timeoutMs });
  if (status === 404) return {};
  return status === 200 ? (JSON.parse(body.toString('utf8')) as AliasAnswer) : undefined;
};

const isPresent = async (transports: Transports, { slug, phase }: RouteState): Promise<boolean> => {
  const answer = await aliasesOf(transports[authorityIn(phase.phase)], aliasWildcard(slug));
  if (answer === undefined) return false;
  const present = { slug, epoch: phase.epoch };
  return phase.phase === 'off' ? !hasLaterStay(answer, present) : isPresentEpoch(answer, present);
};

type Check = (transports: Transports, state: RouteState) => Promise<boolean>;
const holds = async ({ view, transports }: StandAloneDeps, check: Check): Promise<boolean> => {
  if (view.inDoubt().length > 0) return false;
  const routes = [...view.states().values()];
  // What cannot be asked is not known, and then nothing is served.
  const found = await Promise.all(routes.map((state) => check(transports, state).catch(() => false)));
  return found.every(Boolean);
};

/** Each route that has left `off` has had a write alias on the source, and none of them is ever removed. */
const knowsAll = async ({ view, transports, isRecent }: StandAloneDeps): Promise<boolean> => {
  if (isRecent) return true;
  const answer = await aliasesOf(transports.source, ownAliases).catch(() => undefined);
  return answer !== undefined && slugsIn(answer).every((slug) => view.states().has(slug));
};

const mayStay = async (deps: StandAloneDeps): Promise<boolean> =>
  (await holds(deps, isPresent)) && (await knowsAll(deps));

const claimAll = async (deps: StandAloneDeps): Promise<boolean> => {
  deps.view.standAlone(false);
  deps.view.catchUp();
  const may = (await knowsAll(deps)) && (await holds(deps, claim)) && (await holds(deps, isPresent));
  deps.view.standAlone(may);
  return may;
};

/** To be heard is not enough: what this process serves is of before it was, until it has read the phases since. */
const follows = async ({ view, heard, refresh, logger }: StandAloneDeps): Promise<boolean> => {
  if (!heard()) return false;
  try {
    await refresh();
  } catch (err) {
    logger.warn({ err }, 'the phases cannot be read yet');
    return false;
  }
  view.takePart();
  logger.info('this member is known to the others');
  return true;
};

const untilFollowing = async (deps: StandAloneDeps, claimed: boolean): Promise<void> => {
  if (await follows(deps)) return;
  for (let may = claimed; ; may = (may && (await mayStay(deps))) || (await claimAll(deps))) {
    await deps.pause(everyMs);
    if (deps.isOver() || (await follows(deps))) return;
  }
};

/** Resolves once it is known whether requests may be served; goes on until the process was heard and has read the phases. */
export const standAlone = async (deps: StandAloneDeps): Promise<void> => {
  const may = await claimAll(deps);
  deps.logger.warn({ serves: may }, 'nobody has heard of this member yet');
  void untilFollowing(deps, may);
};
