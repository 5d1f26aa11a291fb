/**
 * `doctor [slug]`: what stands in the way, found before it hurts. Store and members are looked at from anywhere; the
 * preflight of a route needs the clusters, so it runs where they are configured and says so where they are not.
 */

import type { CliConfig } from '../../config.ts';
import type { Bucket, RouteState } from '../../coordination/ports.ts';
import type { FleetStatus } from '../../fleet/fleet-status.ts';
import { readFleet } from '../../fleet/read-fleet.ts';
import type { CliContext, Outcome } from '../context.ts';
import { pickRoute, readStates } from '../route-states.ts';
import { styleOf } from '../style.ts';
import { table } from '../table.ts';

export type Finding = { check: string; level: 'ok' | 'warn' | 'refuse'; about: string; reason: string; todo?: string };
export type StoreView = { kind: 'nats' | 'file'; connected: boolean; detail: string; members: number };
/** The preflight of one route over the configured clusters. */
export type Preflight = (config: CliConfig, asked: PreflightAsked) => Promise<readonly Finding[]>;
/** `bucket` tells what the route has done so far. */
export type PreflightAsked = { state: RouteState; store: StoreView; bucket: Pick<Bucket, 'get'> };

const fleetFindings = ({ store, members, errors }: FleetStatus): Finding[] => [
  {
    check: 'store',
    level: store.connected && store.alarm === undefined ? 'ok' : 'refuse',
    about: store.kind,
    reason: store.alarm ?? (store.detail || (store.connected ? 'connected' : 'not connected')),
  },
  members.length > 0
    ? { check: 'members', level: 'ok', about: 'agents', reason: `${members.length} running` }
    : { check: 'members', level: 'warn', about: 'agents', reason: 'none is running', todo: 'start an agent' },
  ...members
    .filter(({ stale }) => stale)
    .map(({ member }): Finding => ({
      check: 'members',
      level: 'warn',
      about: member,
      reason: 'serves from its cached state',
      todo: 'check its way to the store',
    })),
  ...errors.map(({ key, message }): Finding => ({
    check: 'values',
    level: 'warn',
    about: key,
    reason: message,
    todo: 'write a valid value, or delete the key',
  })),
];

const noClusters: Finding = {
  check: 'preflight',
  level: 'warn',
  about: 'clusters',
  reason: 'no cluster is configured here, so the indices were not looked at',
  todo: 'run this where clusters.source is configured',
};

/** Its source may be gone, and the application's aliases are free to move. */
const ended = (slug: string): Finding => ({
  check: 'preflight',
  level: 'ok',
  about: slug,
  reason: 'final: nothing will be moved any more',
});

const preflightOf = async (
  context: CliContext,
  { states, fleet, preflight }: { states: readonly RouteState[]; fleet: FleetStatus; preflight: Preflight },
): Promise<Finding[]> => {
  if (states.length === 0) return [];
  if (context.config.clusters === undefined) return [noClusters];
  const store = { ...fleet.store, members: fleet.members.length };
  const bucket = context.store.config;
  const found = await Promise.all(states.map((state) => preflight(context.config, { state, store, bucket })));
  return found.flat();
};

export const doctor = async (
  context: CliContext,
  { slug, preflight }: { slug: string | undefined; preflight: Preflight },
): Promise<Outcome> => {
  const [fleet, states] = await Promise.all([readFleet(context.store), readStates(context.store)]);
  const chosen = slug === undefined ? [...states.values()] : [pickRoute(states, slug)];
  const isOver = ({ phase }: RouteState): boolean => phase.phase === 'final';
  const open = chosen.filter((state) => !isOver(state));
  const found = await preflightOf(context, { states: open, fleet, preflight });
  const over = chosen.filter(isOver).map((state) => ended(state.slug));
  const findings = [...fleetFindings(fleet), ...found, ...over];
  const style = styleOf(context.io.colour);
  const mark = { ok: style.good('ok'), warn: style.warn('warn'), refuse: style.bad('refuse') };
  const rows = findings.map(({ level, check, about, reason, todo }) => [
    mark[level],
    check,
    about,
    todo === undefined ? reason : `${reason}; ${todo}`,
  ]);
  const refused = findings.some(({ level }) => level === 'refuse');
  return {
    text: table(['', 'check', 'about', 'finding'], rows),
    json: { ok: !refused, findings },
    exit: refused ? 'different' : 'done',
    next: refused ? undefined : slug === undefined ? 'status' : `status ${slug}`,
  };
};
