/** The few things that the panels need of the DOM. Texts are set as texts, never as markup. */

/** @typedef {import('./view.js').Cell} Cell */

/**
 * An element with attributes and children; `onclick` and the like are listeners.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | number | EventListener | undefined>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export const h = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
};

/** @param {string} id */
export const byId = (id) => {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`#${id} is missing`);
  return element;
};

/** Leaves an unchanged text alone, so that a selection and a screen reader are not disturbed. @param {Node} node @param {string} text */
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

/** @param {Element} element @param {string} className */
export const setClass = (element, className) => {
  if (element.className !== className) element.className = className;
};

/** @type {WeakMap<Element, string>} */
const shown = new WeakMap();
/**
 * Draws anew only when what it shows has changed, and never takes the focus away.
 * @template T @param {Element} parent @param {T} model @param {(model: T) => (Node | string)[]} draw
 */
export const redraw = (parent, model, draw) => {
  const text = JSON.stringify(model);
  if (shown.get(parent) === text) return;
  shown.set(parent, text);
  const focused = document.activeElement;
  const mark = focused !== null && parent.contains(focused) ? focused.getAttribute('data-focus') : null;
  parent.replaceChildren(...draw(model));
  if (mark !== null) /** @type {HTMLElement | null} */ (parent.querySelector(`[data-focus="${mark}"]`))?.focus();
};

/** @param {Cell} cell */
export const td = ({ text, tone = '', number = false, mono = false }) =>
  h('td', { class: [tone, number ? 'number' : '', mono ? 'mono' : ''].filter(Boolean).join(' ') }, text);

/** @param {string[]} names @param {Set<string>} [numbers] */
export const headRow = (names, numbers = new Set()) =>
  h(
    'thead',
    {},
    h('tr', {}, ...names.map((name) => h('th', { scope: 'col', class: numbers.has(name) ? 'number' : '' }, name))),
  );

/** @param {string} title @param {string} className @param {...(Node | string)} children */
export const card = (title, className, ...children) =>
  h('section', { class: `card ${className}`, 'aria-label': title }, h('h2', {}, title), ...children);
