/** The two panels that are asked for while the page is seen: mismatches and the audit log. */
import { getJson } from './api.js';
import { say } from './changes.js';
import { card, h, headRow, redraw } from './dom.js';
import { findingOf } from './findings-view.js';
import { time } from './format.js';

/** @typedef {import('./findings-view.js').Finding} Finding */
/** @typedef {{ element: HTMLElement, refresh(slug: string): Promise<void> }} LogPanel */

/** @param {string} text */
const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    say('Copied.');
  } catch {
    say('The browser does not let this page write to the clipboard; select the text instead.');
  }
};

/** @param {Finding} finding */
const findingDetails = (finding) => {
  const { severity, at, family, shape, summary, member, rows, curl, timing } = findingOf(finding);
  return h(
    'details',
    { 'data-id': finding.id },
    h(
      'summary',
      { 'data-focus': finding.id },
      h('strong', {}, severity),
      h('span', {}, at),
      h('span', {}, family),
      h('span', { title: shape }, shape),
      h('span', { title: summary }, summary),
      h('span', { class: 'mono quiet' }, member),
    ),
    h(
      'div',
      { class: 'diff' },
      h('p', { class: 'quiet' }, timing),
      h(
        'table',
        {},
        headRow(['Where', 'Kind', 'Authority', 'Other side']),
        h('tbody', {}, ...rows.map((cells) => h('tr', {}, ...cells.map((cell) => h('td', {}, cell))))),
      ),
      h('pre', {}, curl),
      h('div', { class: 'buttons' }, h('button', { type: 'button', onclick: () => void copy(curl) }, 'Copy as curl')),
    ),
  );
};

/** @returns {LogPanel} */
export const createFindings = () => {
  const list = h('div');
  const box = h('div', { class: 'fixed h-long', tabindex: 0, role: 'group', 'aria-label': 'Discrepancies' }, list);
  return {
    element: card(
      'Discrepancies: samples of all members, gravest first, values replaced by keyed hashes',
      'span-12',
      box,
    ),
    refresh: async (slug) => {
      const { findings } = await getJson(`/api/routes/${slug}/findings`);
      const open = new Set([...list.querySelectorAll('details[open]')].map((one) => one.getAttribute('data-id')));
      redraw(list, findings, (/** @type {Finding[]} */ all) =>
        all.length === 0
          ? [h('p', { class: 'quiet' }, 'No member keeps a sample of a mismatch.')]
          : all.map(findingDetails),
      );
      for (const one of list.querySelectorAll('details')) if (open.has(one.getAttribute('data-id'))) one.open = true;
    },
  };
};

/** @typedef {{ n: number, at: string, by: string, what: string, reason: string }} AuditLine */

/** @returns {LogPanel} */
export const createAudit = () => {
  const table = h('table', { class: 'wide' });
  const box = h('div', { class: 'fixed h-long', tabindex: 0, role: 'group', 'aria-label': 'Audit log' }, table);
  return {
    element: card('Audit log, newest first', 'span-12', box),
    refresh: async (slug) => {
      const { entries } = await getJson(`/api/routes/${slug}/audit`);
      redraw(table, entries, (/** @type {AuditLine[]} */ lines) => [
        headRow(['n', 'When (UTC)', 'Who', 'What', 'Reason']),
        h(
          'tbody',
          {},
          ...lines
            .toReversed()
            .slice(0, 200)
            .map(({ n, at, by, what, reason }) =>
              h('tr', {}, ...[String(n), time(at), by, what, reason].map((text) => h('td', {}, text))),
            ),
        ),
      ]);
    },
  };
};
