/**
 * What the page shows of a route, as plain data: texts, tones and which buttons do something. Pure, so that it is tested
 * without a browser. A tone is always said in words or a sign as well, never by colour alone.
 */
import { bytes, count, milliseconds, percent, seconds, short, time, unknown } from './format.js';

/** @typedef {import('../src/fleet/fleet-status.ts').RouteStatus} RouteStatus */
/** @typedef {import('../src/fleet/fleet-status.ts').FleetStatus} FleetStatus */
/** @typedef {'good' | 'warn' | 'bad' | 'quiet' | ''} Tone */
/** @typedef {{ text: string, tone?: Tone, number?: boolean, mono?: boolean }} Cell */
/** @typedef {{ name: string, text: string, percent?: number, tone?: Tone }} Fact */

export const steps = ['Preflight', 'DualWrite', 'Backfill', 'Verify', 'Shadow', 'Ramp', 'Cutover', 'Soak', 'Complete'];
/** Stages that can follow any other. */
const broken = ['Paused', 'Aborted', 'Failed'];

/** @param {RouteStatus} route @returns {{ text: string, tone: Tone }} */
export const stageOf = ({ stage, phase, stop }) => {
  const text = stage ?? `phase ${phase}`;
  if (stage === 'Failed' || stage === 'Aborted') return { text, tone: 'bad' };
  if (stage === 'Paused' || stop) return { text: stop ? `${text}, stopped` : text, tone: 'warn' };
  return { text, tone: stage === 'Complete' ? 'good' : 'quiet' };
};

/** Where the work stopped in dual; what is aborted is a switch. @param {RouteStatus} route */
const stepInDual = ({ stage, backfill, percent: { read, shadow } }) => {
  if (stage === 'Aborted') return 'Cutover';
  if (backfill === null || backfill.state === 'none') return 'DualWrite';
  if (backfill.state !== 'done') return 'Backfill';
  return read > 0 ? 'Ramp' : shadow > 0 ? 'Shadow' : 'Verify';
};

/** Where a route stands when its stage does not say. @param {RouteStatus} route */
const stepOf = (route) => {
  if (route.stage !== null && steps.includes(route.stage)) return route.stage;
  if (route.phase === 'dual') return stepInDual(route);
  return { off: 'Preflight', observe: 'Preflight', target: 'Soak', final: 'Complete' }[route.phase];
};

/** @param {RouteStatus} route @returns {{ name: string, state: 'past' | 'now' | 'next', tone: Tone, note: string }[]} */
export const stepsOf = (route) => {
  const stage = route.stage ?? '';
  const at = steps.indexOf(stepOf(route));
  const isBroken = broken.includes(stage);
  return steps.map((name, i) => {
    const done = i < at || (i === at && stage === 'Complete');
    const state = done ? 'past' : i === at ? 'now' : 'next';
    const sign = { past: '✓', now: '▶', next: '·' }[state];
    return {
      name,
      state,
      tone: state === 'now' && isBroken ? 'bad' : '',
      note: `${sign} ${state === 'now' && isBroken ? stage : name}`,
    };
  });
};

/** @param {{ ok: boolean }} answer @returns {Cell} */
const yesNo = ({ ok }) => ({ text: ok ? '✓ yes' : '✗ no', tone: ok ? 'good' : 'quiet' });

export const routeHead = ['Route', 'Stage', 'Phase', 'Read', 'Shadow', 'Write', 'Pending', 'Lag', 'Verdict', 'Members'];
export const routeHeadEnd = ['Advance?', 'Roll back?'];

/** @param {RouteStatus} route @returns {Cell[]} without the first, which is the link */
export const routeCells = (route) => [
  stageOf(route),
  { text: route.hold === null ? route.phase : `${route.phase}, held` },
  { text: percent(route.percent.read), number: true },
  { text: percent(route.percent.shadow), number: true },
  { text: percent(route.percent.write), number: true },
  { text: count(route.copies.pending), number: true },
  { text: seconds(route.tail.lagSeconds), number: true },
  verdictOf(route),
  { text: String(route.members.length), number: true },
  yesNo(route.safeToAdvance),
  yesNo(route.safeToRollBack),
];

/** @type {Record<string, Tone>} */
const verdictTones = { promote: 'good', hold: 'warn', rollback: 'bad', inconclusive: 'quiet' };
/** @param {RouteStatus} route @returns {{ text: string, tone: Tone }} */
export const verdictOf = (route) => {
  const text = route.verdict?.verdict ?? route.shadow.verdict;
  return { text, tone: verdictTones[text] ?? '' };
};

/** @param {RouteStatus} route */
export const headline = (route) => [
  `epoch ${route.epoch}`,
  `reign ${route.reign}`,
  `leader ${route.leader ?? 'none'}`,
  route.indices.map(({ source, target }) => `${source} → ${target}`).join(', '),
  ...(route.changed.at === '' ? [] : [`phase since ${time(route.changed.at)}, by ${route.changed.by}`]),
];

/** @param {RouteStatus} route */
export const attention = (route) => [
  ...(route.leader === null ? ['No member leads this route now.'] : []),
  ...(route.members.length === 0 ? ['No member is running.'] : []),
  ...route.members.filter(({ stale }) => stale).map(({ member }) => `${member} serves from its cache.`),
  ...route.alarms,
  ...route.errors.map(({ key, message }) => `${key}: ${message}`),
];

/** @param {RouteStatus} route @returns {Fact} */
const backfillFact = ({ backfill }) => {
  if (backfill === null) return { name: 'Backfill', text: unknown };
  const of = backfill.total === undefined ? '' : ` of ${count(backfill.total)}`;
  const pace = backfill.rate ? `, ${count(backfill.rate)}/s` : '';
  const eta = backfill.etaSeconds === undefined ? '' : `, ${seconds(backfill.etaSeconds)} to go`;
  const text = `${backfill.state}, ${count(backfill.docs)}${of}${pace}${eta}`;
  return { name: 'Backfill', text, ...(backfill.percent === undefined ? {} : { percent: backfill.percent }) };
};

/** @param {RouteStatus} route @returns {Fact} */
const copiesFact = ({ copies }) => ({
  name: 'Copies',
  text: `${count(copies.pending)} pending (${bytes(copies.pendingBytes)}, oldest ${milliseconds(copies.oldestPendingMs)}), ${count(copies.dropped)} dropped`,
});

/** @param {RouteStatus} route @returns {Fact} */
const quarantineFact = ({ quarantine }) => {
  const total = quarantine?.total ?? 0;
  return { name: 'Quarantine', text: count(total), tone: total > 0 ? 'bad' : '' };
};

/** @param {RouteStatus} route @returns {Fact} */
const proofFact = ({ proof }) => ({
  name: 'Proof',
  text: proof === null ? unknown : `${proof.equal ? '✓ equal' : '✗ DIFFERENT'} by ${proof.method}, ${time(proof.at)}`,
  tone: proof === null ? '' : proof.equal ? 'good' : 'bad',
});

/** @param {RouteStatus} route @returns {Fact} */
const ledgerFact = ({ ledger }) => ({
  name: 'Ledger',
  text:
    ledger.unaccounted === null
      ? unknown
      : `${count(ledger.unaccounted)} unaccounted, ${ledger.balanced ? 'balanced' : 'not balanced'}`,
});

/** @param {RouteStatus} route @returns {Fact} */
const lastCutoverFact = ({ lastCutover }) => ({
  name: 'Last switch',
  text:
    lastCutover === null
      ? unknown
      : `${lastCutover.kind} ${lastCutover.result}${lastCutover.pauseMs === undefined ? '' : `, writes waited ${milliseconds(lastCutover.pauseMs)}`}${lastCutover.reason === undefined ? '' : `, ${lastCutover.reason}`}`,
});

/** @param {RouteStatus} route @returns {Fact} */
const nextSwitchFact = ({ nextSwitch }) => ({
  name: 'Next switch',
  text: nextSwitch === null ? unknown : [nextSwitch.path, ...nextSwitch.reasons].join(', '),
});

/** @param {RouteStatus} route @returns {Fact[]} */
export const factsOf = (route) => [
  backfillFact(route),
  {
    name: 'Tail',
    text:
      route.tail.lagSeconds === null
        ? unknown
        : `${seconds(route.tail.lagSeconds)} behind, ${count(route.tail.behind)} operations`,
  },
  {
    name: 'Sweep',
    text: route.sweep === null ? unknown : `${route.sweep.state}, removed ${count(route.sweep.removed)}`,
    ...(route.sweep?.percent === undefined ? {} : { percent: route.sweep.percent }),
  },
  copiesFact(route),
  quarantineFact(route),
  ledgerFact(route),
  proofFact(route),
  {
    name: 'Shadow',
    text: `${count(route.shadow.compared)} compared, ${count(route.shadow.mismatched)} differ, ${count(route.shadow.skipped)} skipped`,
  },
  { name: 'Verdict', text: verdictText(route), tone: verdictOf(route).tone },
  nextSwitchFact(route),
  lastCutoverFact(route),
];

/** @param {RouteStatus} route */
const verdictText = (route) => {
  const reason = route.verdict?.reason ?? '';
  return `${verdictOf(route).text}${reason === '' ? '' : `: ${reason}`}`;
};

/** @param {RouteStatus} route @returns {{ ok: boolean, text: string, detail: string, need: string }[]} */
export const gateRows = ({ gate }) =>
  gate.map(({ condition, ok, value, need }) => ({ ok, text: condition, detail: value, need: `needs ${need}` }));

export const evidenceHead = ['Severity', 'Share', 'Between', 'Tolerated', 'Own noise', 'E-value', 'Limit'];
/** @param {number | undefined} share */
const shareText = (share) => percent(share === undefined ? undefined : 100 * share);

/** @param {RouteStatus} route @returns {Cell[][]} */
export const evidenceRows = ({ verdict }) =>
  (verdict?.eValues ?? []).map(({ severity, value, limit, share, low, high, tolerated, noise }) => [
    { text: `${value >= limit ? '✗ ' : ''}${severity}`, tone: value >= limit ? 'bad' : '' },
    { text: shareText(share), number: true },
    { text: low === undefined ? unknown : `${shareText(low)} – ${shareText(high)}`, number: true },
    { text: shareText(tolerated), number: true },
    { text: shareText(noise), number: true },
    { text: short(value), number: true },
    { text: short(limit), number: true },
  ]);

export const memberHead = ['Member', 'Phase', 'Epoch', 'Held', 'Drained', 'In flight', 'Pending', 'Compared', 'Errors'];
/** @param {RouteStatus} route @returns {Cell[][]} */
export const memberRows = (route) =>
  route.members.map((line) => [
    { text: line.member + (line.member === route.leader ? ' (leads)' : ''), mono: true },
    { text: line.stale ? `${line.phase ?? unknown}, stale` : (line.phase ?? unknown), tone: line.stale ? 'bad' : '' },
    { text: String(line.epoch ?? unknown), number: true },
    { text: line.held === undefined ? unknown : line.held ? 'yes' : 'no' },
    { text: line.drained === undefined ? unknown : line.drained ? 'yes' : 'no' },
    { text: count(line.inFlight), number: true },
    { text: count(line.pendingCopies), number: true },
    { text: count(line.compared), number: true },
    { text: line.errors?.join('; ') ?? '', tone: 'bad' },
  ]);

/**
 * @typedef {object} Action
 * @property {string} id
 * @property {string} label
 * @property {boolean} enabled
 * @property {string} title of the dialog
 * @property {string} text of the dialog
 * @property {'gate' | 'back' | ''} shows the answer that belongs to the question: safe to advance, safe to roll back
 * @property {{ ask: string, phase?: string } | { setting: string, value: boolean }} does an advance is from this phase, or refused
 * @property {boolean} [danger]
 */

const finalMeans = 'The source takes no writes any more and a rollback is no longer possible.';
const advanceMeans = {
  off: 'The route goes to observe: writes pass through an alias.',
  observe: 'The route goes to dual: writes are copied to the target, and the backfill begins.',
  dual: 'This is the cutover: the target becomes the authority. Writes wait for a moment.',
  target: `The route goes to final. ${finalMeans}`,
  final: 'The migration is complete.',
};

/** @param {RouteStatus} route @returns {Action} */
const advanceAction = ({ route, phase, hold }) => {
  const finalizes = phase === 'target';
  const verb = finalizes ? 'Finalize' : phase === 'dual' ? 'Cut over' : 'Advance';
  return {
    id: 'advance',
    label: `${verb}…`,
    enabled: phase !== 'final' && hold === null,
    title: `${verb} ${route}?`,
    text: advanceMeans[phase],
    shows: 'gate',
    does: finalizes ? { ask: 'finalize' } : { ask: 'advance', phase },
    danger: finalizes,
  };
};

/** @param {RouteStatus} route @returns {Action} */
const rehearseAction = ({ route, phase, hold }) =>
  hold === null
    ? {
        id: 'rehearse',
        label: 'Rehearse…',
        enabled: phase === 'dual' || phase === 'target',
        title: `Rehearse the switch of ${route}?`,
        text: 'Writes are held as in a real switch and released to the same authority. It shows how long they would wait.',
        shows: phase === 'target' ? 'back' : 'gate',
        does: { ask: 'rehearse' },
      }
    : {
        id: 'rehearse',
        label: 'Abort…',
        enabled: true,
        title: `Abort the switch of ${route}?`,
        text: 'The held writes go on to the present authority.',
        shows: '',
        does: { ask: 'abort' },
      };

/** @param {RouteStatus} route @returns {Action} */
const pauseAction = ({ route, stage }) =>
  stage === 'Paused'
    ? {
        id: 'pause',
        label: 'Resume…',
        enabled: true,
        title: `Resume ${route}?`,
        text: 'Backfill, tail and sweep go on.',
        shows: '',
        does: { ask: 'resume' },
      }
    : {
        id: 'pause',
        label: 'Pause…',
        enabled: true,
        title: `Pause ${route}?`,
        text: 'Backfill, tail and sweep rest. The application is served as before, and writes are copied as before.',
        shows: '',
        does: { ask: 'pause' },
      };

/** @param {RouteStatus} route @returns {Action} */
const rollbackAction = ({ route, phase }) => ({
  id: 'rollback',
  label: 'Roll back…',
  enabled: phase !== 'final',
  title: phase === 'target' ? `Roll ${route} back?` : `Bring all reads of ${route} home?`,
  text:
    phase === 'target'
      ? 'The source becomes the authority again, with everything that was written meanwhile.'
      : 'pct.read goes to 0: every read is answered by the authority. Copies go on.',
  shows: 'back',
  does: { ask: 'rollback' },
  danger: true,
});

/** @param {RouteStatus} route @returns {Action} */
const stopAction = ({ route, phase, stop }) => ({
  id: 'stop',
  label: stop ? 'Release stop…' : 'Stop…',
  enabled: true,
  title: stop ? `Release the stop of ${route}?` : `Stop ${route}?`,
  text: stop
    ? 'Reads go to the follower again by pct.read.'
    : phase === 'target'
      ? 'All reads go to the authority at once, and the leader rolls back as soon as it is safe.'
      : 'All reads go to the authority at once, whatever pct.read says.',
  shows: '',
  does: { setting: 'stop', value: !stop },
  danger: !stop,
});

/** @param {RouteStatus} route @returns {Action[]} */
export const actionsOf = (route) => [
  advanceAction(route),
  rehearseAction(route),
  pauseAction(route),
  rollbackAction(route),
  stopAction(route),
];

/**
 * The leader's answer to the question of an action, and its conditions: those that a route lists are of the switch that
 * leads out of its phase, and say nothing of another step.
 * @param {RouteStatus} route @param {Pick<Action, 'shows'>} action
 */
export const answerFor = (route, { shows }) => {
  if (shows === '') return undefined;
  const answer = shows === 'gate' ? route.safeToAdvance : route.safeToRollBack;
  const isOfSwitch = route.phase === (shows === 'gate' ? 'dual' : 'target');
  const rows = isOfSwitch ? gateRows(route).toSorted((a, b) => Number(a.ok) - Number(b.ok)) : [];
  return { ...answer, rows };
};

/** @type {{ kind: 'read' | 'shadow' | 'write', text: string }[]} */
export const knobs = [
  { kind: 'read', text: 'reads that the follower answers' },
  { kind: 'shadow', text: 'reads that are compared' },
  { kind: 'write', text: 'documents copied directly' },
];

/** Why a percentage is not what was set. @param {RouteStatus} route @param {'read' | 'shadow' | 'write'} kind */
export const inForce = (route, kind) => {
  const now = route.percent[kind];
  if (now === route.percentSet[kind]) return 'in force';
  if (route.phase !== 'dual' && route.phase !== 'target') return `not used in ${route.phase}`;
  if (kind === 'read' && route.readBarrier !== null) return `${percent(now)}: ${route.readBarrier}`;
  return kind === 'read' && route.stop ? `${percent(now)}: stopped` : `in force: ${percent(now)}`;
};

/** Only `#/name` names a route; other fragments, as that of the skip link, are places on the page. @param {string} hash */
const namedIn = (hash) => {
  const name = hash.startsWith('#/') ? hash.slice(2) : '';
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
};

/**
 * The route to show: the one that the address names, else the one that is open, else the first.
 * @param {string[]} slugs of the routes there are @param {{ hash: string, opened: string | undefined }} at
 * @returns {{ slug: string } | { problem: string } | undefined} nothing while there is no route
 */
export const routeToShow = (slugs, { hash, opened }) => {
  const named = namedIn(hash);
  if (slugs.length === 0) return undefined;
  if (named !== '' && !slugs.includes(named)) return { problem: `No route is called ${named}.` };
  const slug = [named, opened, slugs[0]].find((one) => one !== undefined && slugs.includes(one));
  return slug === undefined ? undefined : { slug };
};
