/** `status [slug]` and its live view, `members`: what the store knows, once or again and again. */
import type { FleetStatus, RouteStatus } from '../../fleet/fleet-status.ts';
import { readFleet } from '../../fleet/read-fleet.ts';
import type { CliContext, Outcome } from '../context.ts';
import { yesNo } from '../format.ts';
import { type RenderOptions, renderFleet, renderRoute } from '../render-status.ts';
import { pickRoute } from '../route-states.ts';
import { styleOf } from '../style.ts';
import { table } from '../table.ts';

const optionsOf = ({ io }: CliContext): RenderOptions => ({ style: styleOf(io.colour), bars: io.terminal });

/** What a person would most likely type next. */
export const nextStep = (route: RouteStatus): string | undefined => {
  const { route: slug, phase, stage } = route;
  if (stage === 'Paused') return `resume ${slug}`;
  if (phase === 'off') return `phase ${slug} observe`;
  if (phase === 'observe') return `phase ${slug} dual`;
  if (phase === 'dual') return route.safeToAdvance.ok ? `advance ${slug} --rehearse --wait` : `status ${slug} --watch`;
  if (phase === 'target') return route.safeToAdvance.ok ? `finalize ${slug}` : `status ${slug} --watch`;
  return undefined;
};

const fleetOutcome = (fleet: FleetStatus, context: CliContext): Outcome => ({
  text: renderFleet(fleet, optionsOf(context)),
  json: fleet,
  next: fleet.routes.length === 0 ? 'apply -f route.yaml' : `status ${fleet.routes[0]?.route}`,
});

export const status = async (context: CliContext, { slug }: { slug: string | undefined }): Promise<Outcome> => {
  const fleet = await readFleet(context.store);
  if (slug === undefined) return fleetOutcome(fleet, context);
  const route = pickRoute(new Map(fleet.routes.map((found) => [found.route, found])), slug);
  return {
    text: renderRoute(route, optionsOf(context)),
    json: { ...route, store: fleet.store },
    next: nextStep(route),
  };
};

const clear = '\u001b[H\u001b[2J';
const refreshMs = 1000;

/** Redraws on a terminal; elsewhere each state is printed below the last, as JSON one per line. Ends at Ctrl-C. */
export const watchStatus = async (context: CliContext, choice: { slug: string | undefined }): Promise<Outcome> => {
  const { io, options } = context;
  let last = '';
  while (!io.signal.aborted) {
    const { text, json } = await status(context, choice);
    const shown = options.json ? JSON.stringify(json) : text;
    if (shown !== last) io.out(`${io.terminal && !options.json ? clear : ''}${shown}\n`);
    last = shown;
    await io.sleep(refreshMs);
  }
  return { text: '', json: undefined };
};

export const members = async ({ store }: CliContext): Promise<Outcome> => {
  const fleet = await readFleet(store);
  const rows = fleet.members.map(({ member, version, admin, stale }) => [
    member,
    version,
    admin ?? '-',
    stale ? 'stale' : 'live',
  ]);
  const routes = new Map(fleet.routes.map((route) => [route.route, route]));
  const lines = [...routes.values()].flatMap((route) =>
    route.members.map((line) => [
      line.member,
      route.route,
      line.phase ?? '-',
      String(line.epoch ?? '-'),
      line.drained === undefined ? '-' : yesNo(line.drained),
    ]),
  );
  const text =
    rows.length === 0
      ? 'no member is running'
      : `${table(['member', 'version', 'admin', 'state'], rows)}\n\n${table(['member', 'route', 'phase', 'epoch', 'drained'], lines)}`;
  const json = fleet.members.map(({ route: _, ...member }) => ({
    ...member,
    routes: Object.fromEntries(
      fleet.routes.map((route) => [route.route, route.members.find((line) => line.member === member.member)]),
    ),
  }));
  return { text, json: { members: json }, next: 'status' };
};
