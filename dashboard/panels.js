/** The panels of a route that only show: where it stands, the two answers, progress, conditions, members. */
import { gateList } from './confirm.js';
import { card, h, headRow, redraw, setText, td } from './dom.js';
import {
  attention,
  evidenceHead,
  evidenceRows,
  factsOf,
  gateRows,
  headline,
  memberHead,
  memberRows,
  stageOf,
  stepsOf,
} from './view.js';

/** @typedef {import('./controls.js').Panel} Panel */

/** @returns {Panel} */
export const createHead = () => {
  const name = h('h2');
  const stage = h('span', { class: 'chip' });
  const facts = h('span', { class: 'quiet facts' });
  const steps = h('ol', { class: 'steps', 'aria-label': 'Stages' });
  const problems = h('ul', { class: 'attention bad' });
  const element = h(
    'section',
    { class: 'card span-12' },
    h('div', { class: 'head' }, name, stage, facts),
    steps,
    problems,
  );
  return {
    element,
    update: (route) => {
      setText(name, route.route);
      const { text, tone } = stageOf(route);
      setText(stage, route.hold === null ? text : `${text}: writes are held`);
      stage.className = `chip ${tone}`;
      setText(facts, headline(route).join('  ·  '));
      redraw(steps, stepsOf(route), (models) =>
        models.map(({ state, tone: stepTone, note }) =>
          h('li', { class: `${state} ${stepTone}`, 'aria-current': state === 'now' ? 'step' : undefined }, note),
        ),
      );
      redraw(problems, attention(route), (texts) => texts.map((line) => h('li', {}, `⚠ ${line}`)));
    },
  };
};

/** @param {string} title @param {'safeToAdvance' | 'safeToRollBack'} field @returns {Panel} */
export const createAnswer = (title, field) => {
  const box = h('div', {
    class: 'answer fixed h-answers',
    tabindex: 0,
    role: 'group',
    'aria-label': title,
    'aria-live': 'polite',
  });
  return {
    element: card(title, 'span-4', box),
    update: (route) =>
      redraw(box, route[field], ({ ok, reasons }) => [
        h('strong', { class: ok ? 'good' : 'bad' }, ok ? '✓ Yes' : '✗ No'),
        h(
          'ul',
          {},
          ...(ok
            ? [h('li', { class: 'quiet' }, 'Every condition holds.')]
            : reasons.map((reason) => h('li', {}, `· ${reason}`))),
        ),
      ]),
  };
};

/** @returns {Panel} */
export const createFacts = () => {
  const list = h('dl', { class: 'progress fixed h-middle' });
  return {
    element: card('Progress', 'span-7', list),
    update: (route) =>
      redraw(list, factsOf(route), (facts) =>
        facts.flatMap(({ name, text, percent, tone = '' }) => [
          h('dt', {}, name),
          h(
            'dd',
            { class: tone, title: text },
            ...(percent === undefined ? [] : [h('progress', { value: percent, max: 100, 'aria-label': name })]),
            text,
          ),
        ]),
      ),
  };
};

/** @returns {Panel} */
export const createGate = () => {
  const box = h('div', {
    class: 'fixed h-lists',
    tabindex: 0,
    role: 'group',
    'aria-label': 'Conditions of the next step',
  });
  return {
    element: card('Conditions of the next step', 'span-5', box),
    update: (route) =>
      redraw(box, gateRows(route), (rows) => [
        rows.length === 0
          ? h('p', { class: 'quiet' }, 'The next step has no conditions beyond a living leader.')
          : gateList(rows),
      ]),
  };
};

const memberNumbers = new Set(['Epoch', 'In flight', 'Pending', 'Compared']);
const evidenceNumbers = new Set(evidenceHead.slice(1));
/** @returns {Panel} */
export const createEvidence = () => {
  const table = h('table', { class: 'wide' });
  const box = h('div', { class: 'fixed h-lists', tabindex: 0, role: 'group', 'aria-label': 'Evidence' }, table);
  return {
    element: card('Evidence: share of comparisons by severity, and what it takes to call it worse', 'span-7', box),
    update: (route) =>
      redraw(table, evidenceRows(route), (rows) => [
        headRow(evidenceHead, evidenceNumbers),
        h('tbody', {}, ...rows.map((cells) => h('tr', {}, ...cells.map(td)))),
      ]),
  };
};

/** @returns {Panel} */
export const createMembers = () => {
  const table = h('table', { class: 'wide' });
  const box = h('div', { class: 'fixed h-members', tabindex: 0, role: 'group', 'aria-label': 'Members' }, table);
  return {
    element: card('Members', 'span-12', box),
    update: (route) =>
      redraw(table, memberRows(route), (rows) => [
        headRow(memberHead, memberNumbers),
        h('tbody', {}, ...rows.map((cells) => h('tr', {}, ...cells.map(td)))),
      ]),
  };
};
