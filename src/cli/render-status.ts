/** The status of the fleet and of one route as text for a terminal. Pure: status in, lines out. */

import type { Answer } from '../coordination/job-status.ts';
import { stages } from '../coordination/job-status.ts';
import type { StoreStatus } from '../coordination/ports.ts';
import type { FleetStatus, RouteStatus } from '../fleet/fleet-status.ts';
import { bar, bytes, count, milliseconds, percent, seconds, unknownText, yesNo } from './format.ts';
import { histogramText } from './histogram.ts';
import type { Style } from './style.ts';
import { alignRows, table } from './table.ts';

export type RenderOptions = { style: Style; bars: boolean };

const storeLine = ({ store }: FleetStatus): string => {
  const state = store.connected ? 'connected' : 'NOT CONNECTED';
  return `store ${store.kind} ${state}${store.detail === '' ? '' : ` (${store.detail})`}${store.alarm === undefined ? '' : `; ALARM: ${store.alarm}`}`;
};

const answer = ({ ok, reasons }: Answer, { style }: RenderOptions): string =>
  ok ? style.good('yes') : `${style.warn('no')}: ${reasons.join('; ') || 'no reason given'}`;

export const renderFleet = (fleet: FleetStatus, { style }: RenderOptions): string => {
  const rows = fleet.routes.map((route) => [
    route.route,
    route.stage ?? unknownText,
    route.phase + (route.hold === null ? '' : ' (held)'),
    String(route.epoch),
    percent(route.percent.read),
    percent(route.percent.shadow),
    count(route.copies.pending),
    seconds(route.tail.lagSeconds ?? undefined),
    yesNo(route.safeToAdvance.ok),
    yesNo(route.safeToRollBack.ok),
  ]);
  const head = ['route', 'stage', 'phase', 'epoch', 'read', 'shadow', 'pending', 'lag', 'advance?', 'roll back?'];
  const routes = rows.length === 0 ? 'no route yet' : table(head, rows);
  const errors = fleet.errors.map(({ key, message }) => style.bad(`  ${key}: ${message}`));
  return [storeLine(fleet), `${fleet.members.length} members`, '', routes, ...errors].join('\n');
};

const stageLine = (route: RouteStatus, { style }: RenderOptions): string => {
  const line = stages.slice(0, stages.indexOf('Complete') + 1);
  const at = route.stage === null ? -1 : line.indexOf(route.stage);
  if (at < 0) return route.stage ?? unknownText;
  const mark = (i: number) =>
    i < at || route.stage === 'Complete' ? style.good('✓') : i === at ? style.strong('▶') : '·';
  return line.map((name, i) => `${mark(i)} ${name}`).join('  ');
};

const progress = (done: number | undefined, { bars }: RenderOptions): string =>
  done === undefined ? unknownText : bars ? `${bar(done)} ${percent(done)}` : percent(done);

const backfillLine = ({ backfill }: RouteStatus, options: RenderOptions): string => {
  if (backfill === null) return unknownText;
  const of = backfill.total === undefined ? '' : ` of ${count(backfill.total)}`;
  const pace = backfill.rate === undefined ? '' : `  ${count(backfill.rate)}/s`;
  const eta = backfill.etaSeconds === undefined ? '' : `  ETA ${seconds(backfill.etaSeconds)}`;
  return `${backfill.state}  ${progress(backfill.percent, options)}  ${count(backfill.docs)}${of}${pace}${eta}`;
};

const sweepLine = ({ sweep }: RouteStatus, options: RenderOptions): string => {
  if (sweep === null) return unknownText;
  const detail = sweep.detail === undefined ? '' : `  ${sweep.detail}`;
  return `${sweep.state}  ${progress(sweep.percent, options)}  removed ${count(sweep.removed)}${detail}`;
};

const copiesLine = ({ copies }: RouteStatus): string =>
  `pending ${count(copies.pending)} (${bytes(copies.pendingBytes)}, oldest ${milliseconds(copies.oldestPendingMs)})  dropped ${count(copies.dropped)}  quarantined ${count(copies.quarantined)}`;

const shadowLine = ({ shadow, verdict }: RouteStatus): string =>
  `compared ${count(shadow.compared)}  mismatched ${count(shadow.mismatched)}  skipped ${count(shadow.skipped)}  verdict ${verdict?.verdict ?? shadow.verdict}`;

const proofLine = ({ proof }: RouteStatus): string =>
  proof === null ? unknownText : `${proof.equal ? 'equal' : 'DIFFERENT'} by ${proof.method} at ${proof.at}`;

const tailLine = ({ tail }: RouteStatus): string =>
  tail.lagSeconds === null ? unknownText : `lag ${seconds(tail.lagSeconds)}, ${count(tail.behind ?? undefined)} behind`;

const pausesLine = ({ pausesMs }: RouteStatus, { bars }: RenderOptions): string =>
  histogramText(pausesMs, bars) || unknownText;

const lastSwitchLine = ({ lastCutover }: RouteStatus): string => {
  if (lastCutover === null) return unknownText;
  const { kind, result, at, pauseMs, reason } = lastCutover;
  const waited = pauseMs === undefined ? '' : `, writes waited ${milliseconds(pauseMs)}`;
  return `${kind} ${result} at ${at}${waited}${reason === undefined ? '' : `: ${reason}`}`;
};

/** Who moved the phase last; an empty record was never moved. */
const sinceText = ({ changed: { at, by } }: RouteStatus): string => (at === '' ? '' : `  since ${at} (leader ${by})`);

const settingsLine = (route: RouteStatus): string => {
  const rate = route.rate === null ? '' : `  rate ${route.rate}`;
  const barred = route.readBarrier === null ? '' : ` (${percent(route.percentSet.read)} waits: ${route.readBarrier})`;
  return `read ${percent(route.percent.read)}${barred}  shadow ${percent(route.percent.shadow)}  write ${percent(route.percent.write)}  stop ${route.stop ? 'ON' : 'off'}${rate}`;
};

const memberTable = ({ members }: RouteStatus, { style }: RenderOptions): string[] => {
  if (members.length === 0) return [`  ${style.warn('no member is running')}`];
  const head = ['member', 'phase', 'epoch', 'held', 'drained', 'in flight', 'pending', 'errors'];
  const rows = members.map((member) => [
    member.member + (member.stale ? ' (stale)' : ''),
    member.phase ?? unknownText,
    String(member.epoch ?? unknownText),
    member.held === undefined ? unknownText : yesNo(member.held),
    member.drained === undefined ? unknownText : yesNo(member.drained),
    count(member.inFlight),
    count(member.pendingCopies),
    member.errors?.join('; ') ?? '',
  ]);
  return alignRows([head, ...rows]).map((row) => `  ${row}`);
};

const gateTable = ({ gate }: RouteStatus, { style }: RenderOptions): string[] =>
  alignRows(
    gate.map(({ condition, ok, value, need }) => [
      ok ? style.good('✓') : style.bad('✗'),
      condition,
      value,
      ok ? '' : `needs ${need}`,
    ]),
  ).map((row) => `  ${row}`);

const quarantineLines = ({ quarantine }: RouteStatus): string[] =>
  (quarantine?.reasons ?? []).map(
    ({ reason, count: documents, example }) =>
      `quarantined ${count(documents)}: ${reason}${example === undefined ? '' : `, for example ${example}`}`,
  );

const problemsOf = (route: RouteStatus, store: StoreStatus): string[] => [
  ...(store.connected ? [] : [`store not connected: ${store.detail}; what is shown may be old`]),
  ...(store.alarm === undefined ? [] : [`store alarm: ${store.alarm}`]),
  ...route.alarms,
  ...quarantineLines(route),
  ...route.errors.map(({ key, message }) => `${key}: ${message}`),
];

const nextSwitchLine = ({ nextSwitch }: RouteStatus): string => {
  if (nextSwitch === null) return '-';
  const { path, reasons } = nextSwitch;
  return reasons.length === 0 ? path : `${path}: ${reasons.join('; ')}`;
};

export const renderRoute = (route: RouteStatus, store: StoreStatus, options: RenderOptions): string => {
  const { style } = options;
  const hold = route.hold === null ? '' : `  HELD to ${route.hold.to}${route.hold.rehearsal ? ' (rehearsal)' : ''}`;
  const title = `${style.strong(route.route)}  ${route.phase}${hold}  epoch ${route.epoch}  reign ${route.reign}  leader ${route.leader ?? 'none'}${sinceText(route)}`;
  const facts = alignRows([
    ['stage', stageLine(route, options)],
    ['percent', settingsLine(route)],
    ['backfill', backfillLine(route, options)],
    ['tail', tailLine(route)],
    ['sweep', sweepLine(route, options)],
    ['copies', copiesLine(route)],
    ['shadow', shadowLine(route)],
    ['proof', proofLine(route)],
    ['ledger', `unaccounted ${count(route.ledger.unaccounted ?? undefined)}`],
    ['next switch', nextSwitchLine(route)],
    ['pauses', pausesLine(route, options)],
    ['last switch', lastSwitchLine(route)],
    ['safe to advance?', answer(route.safeToAdvance, options)],
    ['safe to roll back?', answer(route.safeToRollBack, options)],
  ]).map((row) => `  ${row}`);
  const problems = problemsOf(route, store);
  return [
    title,
    ...facts,
    ...(route.gate.length === 0 ? [] : ['', 'conditions of the next step', ...gateTable(route, options)]),
    ...(problems.length === 0 ? [] : ['', 'needs attention', ...problems.map((text) => style.bad(`  ${text}`))]),
    '',
    'members',
    ...memberTable(route, options),
  ].join('\n');
};
