/** Percentages and buttons of a route. Each change is confirmed with a name and a reason. */
import { askLeader, setKnob } from './changes.js';
import { confirm, gateList } from './confirm.js';
import { card, h, redraw, setClass, setText } from './dom.js';
import { actionsOf, answerFor, inForce, knobs } from './view.js';

/** @typedef {import('./view.js').RouteStatus} RouteStatus */
/** @typedef {import('./view.js').Action} Action */
/** @typedef {{ element: HTMLElement, update(route: RouteStatus): void }} Panel */

/** @param {{ kind: 'read' | 'shadow' | 'write', text: string }} knob */
const knobRow = ({ kind, text }) => {
  const setting = `pct.${kind}`;
  /** @type {RouteStatus | undefined} */
  let route;
  const slider = h('input', {
    type: 'range',
    min: 0,
    max: 100,
    step: 1,
    'aria-label': `${kind}: ${text}`,
    title: text,
  });
  const number = h('input', {
    type: 'number',
    min: 0,
    max: 100,
    step: 'any',
    id: setting,
    name: setting,
    required: true,
  });
  const button = h('button', { disabled: true }, 'Set…');
  const state = h('output', { class: 'quiet' });
  const label = h('label', { for: setting, title: text }, kind);
  const element = h(
    'form',
    { class: 'knob', 'data-knob': kind },
    label,
    slider,
    number,
    h('span', {}, '%'),
    button,
    state,
  );

  const isChanged = () => route !== undefined && number.value !== '' && Number(number.value) !== route.percentSet[kind];
  const mark = () => {
    button.disabled = !isChanged();
    setClass(element, isChanged() ? 'knob changed' : 'knob');
  };
  const reset = () => {
    if (route === undefined) return;
    number.value = String(route.percentSet[kind]);
    slider.value = number.value;
    mark();
  };
  slider.addEventListener('input', () => {
    number.value = slider.value;
    mark();
  });
  number.addEventListener('input', () => {
    slider.value = number.value;
    mark();
  });
  number.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') reset();
  });
  element.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (route === undefined || !isChanged()) return;
    const value = number.value;
    const title = `Set ${setting} of ${route.route} from ${route.percentSet[kind]} to ${value} %?`;
    const who = await confirm({ title, text: `It is the share of ${text}.`, yes: `Set ${value} %` });
    if (who !== undefined && (await setKnob(route.route, { setting, value, ...who }))) {
      route = { ...route, percentSet: { ...route.percentSet, [kind]: Number(value) } };
      reset();
    }
  });
  return {
    element,
    /** @param {RouteStatus} next */
    update: (next) => {
      const follows = !isChanged();
      route = next;
      if (follows && document.activeElement !== number && document.activeElement !== slider) reset();
      else mark();
      setText(state, inForce(next, kind));
    },
  };
};

/** @returns {Panel} */
export const createKnobs = () => {
  const rows = knobs.map(knobRow);
  const note = h(
    'p',
    { class: 'quiet' },
    'A change takes effect on every member within milliseconds. Escape takes an unsent one back.',
  );
  return {
    element: card('Percentages', 'span-5', ...rows.map(({ element }) => element), note),
    update: (route) => rows.forEach((row) => row.update(route)),
  };
};

/** @param {RouteStatus} route @param {Action} action @returns {Node[]} */
const gateOf = (route, action) => {
  const answer = answerFor(route, action);
  if (answer === undefined) return [];
  const { ok, reasons, rows } = answer;
  const said = ok
    ? h('p', { class: 'good' }, '✓ Every condition holds.')
    : h('p', { class: 'bad' }, `✗ Not safe now: ${reasons.join('; ')}. The leader will refuse.`);
  return rows.length === 0 ? [said] : [said, gateList(rows)];
};

/** @param {RouteStatus} route @param {Action} action */
const perform = async (route, action) => {
  const { title, text, label, danger = false, does } = action;
  const who = await confirm({ title, text, yes: label.replace('…', ''), danger, gate: gateOf(route, action) });
  if (who === undefined) return;
  if ('setting' in does) return void (await setKnob(route.route, { ...does, ...who }));
  const { ask, ...from } = does;
  await askLeader(route.route, { action: ask, ...from, ...who });
};

/** @returns {Panel} */
export const createActions = () => {
  /** @type {RouteStatus | undefined} */
  let route;
  const box = h('div', { class: 'buttons actions h-answers' });
  /** @param {Action} action */
  const click = ({ id }) => {
    const current = route;
    const action = current && actionsOf(current).find((one) => one.id === id);
    if (current !== undefined && action !== undefined) void perform(current, action);
  };
  return {
    element: card('Actions', 'span-4', box),
    update: (next) => {
      route = next;
      redraw(box, actionsOf(next), (actions) =>
        actions.map((action) =>
          h(
            'button',
            {
              'data-action': action.id,
              'data-focus': action.id,
              disabled: !action.enabled,
              class: action.danger ? 'danger' : action.id === 'advance' ? 'primary' : '',
              onclick: () => click(action),
            },
            action.label,
          ),
        ),
      );
    },
  };
};
