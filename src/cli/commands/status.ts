/** `status [slug]` and its live view, `members`: what the store knows, once or again and again. */
import type { FleetStatus, RouteStatus } from '../../fleet/fleet-status.ts';
import { readFleet } from '../../fleet/read-fleet.ts';
import type { CliContext, Outcome } from '../context.ts';
import { isCrossfadeError } from '../../errors.ts';
import { count, yesNo } from '../format.ts';
import { type RenderOptions, renderFleet, renderRoute } from '../render-status.ts';
import { pickRoute } from '../route-states.ts';
import { clearScreen, redraw } from '../screen.ts';
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
  if (phase === 'target') return route.safeToAdvance.ok ? `finalize ${slug} --wait` : `status ${slug} --watch`;
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
    text: renderRoute(route, fleet.store, optionsOf(context)),
    json: { ...route, store: fleet.store },
    next: nextStep(route),
  };
};

const refreshMs = 1000;
const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 19);

/** A store that is away for a moment must not end the view of somebody who watches a migration. */
const look = async (context: CliContext, choice: { slug: string | undefined }): Promise<Outcome | string> => {
  try {
    return await status(context, choice);
  } catch (error) {
    if (isCrossfadeError(error, 'STORE_UNAVAILABLE')) return error.message;
    throw error;
  }
};

const draw = ({ io, options }: CliContext, text: string, note: string): void => {
  const head = `${clock(io.now())} UTC${note}   Ctrl-C ends`;
  io.out(io.terminal && !options.json ? redraw(`${head}\n${text}`, io.size()) : `${text}\n`);
};

/** Redraws on a terminal; elsewhere each state is printed below the last, as JSON one per line. Ends at Ctrl-C. */
export const watchStatus = async (context: CliContext, choice: { slug: string | undefined }): Promise<Outcome> => {
  const { io, options } = context;
  if (io.terminal && !options.json) io.out(clearScreen);
  // The first look fails as `status` would: there is nothing yet to keep on the screen.
  let last: Outcome = await status(context, choice);
  let printed: string | undefined;
  let away: string | undefined;
  for (;;) {
    const shown = options.json ? JSON.stringify(last.json) : last.text;
    if (io.terminal && !options.json) draw(context, shown, away === undefined ? '' : `   STORE AWAY since ${away}`);
    else if (shown !== printed) draw(context, shown, '');
    printed = shown;
    if (!io.signal.aborted) await io.sleep(refreshMs);
    if (io.signal.aborted) return { text: '', json: undefined, next: last.next };
    const seen = await look(context, choice);
    if (typeof seen !== 'string') [last, away] = [seen, undefined];
    else if (away === undefined) {
      away = clock(io.now());
      if (!io.terminal) io.note(`${seen} What was printed last is as of ${away} UTC.`);
    }
  }
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
      count(line.inFlight),
      count(line.pendingCopies),
    ]),
  );
  const routeHead = ['member', 'route', 'phase', 'epoch', 'drained', 'in flight', 'pending copies'];
  const text =
    rows.length === 0
      ? 'no member is running'
      : [
          table(['member', 'version', 'admin', 'state'], rows),
          ...(lines.length === 0 ? [] : ['', table(routeHead, lines)]),
        ].join('\n');
  const json = fleet.members.map(({ route: _, ...member }) => ({
    ...member,
    routes: Object.fromEntries(
      fleet.routes.map((route) => [route.route, route.members.find((line) => line.member === member.member)]),
    ),
  }));
  return { text, json: { members: json }, next: 'status' };
};
