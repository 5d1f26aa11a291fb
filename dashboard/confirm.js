/** The dialog that every change passes: what it means, what the gate says, who asks and why. */
import { byId, h, setText } from './dom.js';

/** @typedef {{ by: string, reason: string }} Who */
/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text
 * @property {string} yes
 * @property {boolean} [danger]
 * @property {Node[]} [gate]
 */

const actorKey = 'crossfade-actor';
const dialog = () => /** @type {HTMLDialogElement} */ (byId('confirm'));

/** @param {Question} question */
const fill = ({ title, text, yes, danger = false, gate = [] }) => {
  setText(byId('confirm-title'), title);
  setText(byId('confirm-text'), text);
  byId('confirm-gate').replaceChildren(...gate);
  const button = /** @type {HTMLButtonElement} */ (dialog().querySelector('button[value="yes"]'));
  setText(button, yes);
  button.className = danger ? 'danger' : 'primary';
};

/** Resolves with who confirmed, or undefined when nobody did. @param {Question} question @returns {Promise<Who | undefined>} */
export const confirm = (question) => {
  fill(question);
  const form = /** @type {HTMLFormElement} */ (dialog().querySelector('form'));
  const [by, reason] = ['by', 'reason'].map((name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name)));
  if (by === undefined || reason === undefined) throw new Error('the dialog has no fields');
  by.value = localStorage.getItem(actorKey) ?? '';
  reason.value = '';
  return new Promise((resolve) => {
    /** @type {Who | undefined} */
    let who;
    form.onsubmit = (event) => {
      event.preventDefault();
      localStorage.setItem(actorKey, by.value);
      who = { by: by.value, reason: reason.value };
      dialog().close();
    };
    const cancel = /** @type {HTMLButtonElement} */ (form.querySelector('button[value="cancel"]'));
    cancel.onclick = () => dialog().close();
    dialog().onclose = () => resolve(who);
    dialog().showModal();
    (by.value === '' ? by : reason).focus();
  });
};

/** The conditions as they are shown in the dialog and in their panel. @param {{ ok: boolean, text: string, detail: string, need: string }[]} rows */
export const gateList = (rows) =>
  h(
    'table',
    { class: 'wide gate' },
    ...rows.map(({ ok, text, detail, need }) =>
      h(
        'tr',
        { class: ok ? '' : 'unmet' },
        h('td', { class: ok ? 'good' : 'bad' }, ok ? '✓' : '✗'),
        h('th', { scope: 'row' }, text),
        h('td', {}, detail),
        h('td', { class: ok ? 'quiet' : 'bad' }, need),
      ),
    ),
  );
