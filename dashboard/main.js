/** The page: follows the stream, shows the routes and the one that the address names, and asks for a token when it must. */
import { keepToken } from './api.js';
import { mergeMoments } from './chart-data.js';
import { createCharts } from './charts.js';
import { createActions, createKnobs } from './controls.js';
import { byId, h, headRow, redraw, setText, td } from './dom.js';
import { createAudit, createFindings } from './logs.js';
import { createAnswer, createEvidence, createFacts, createGate, createHead, createMembers } from './panels.js';
import { follow } from './stream.js';
import { routeCells, routeHead, routeHeadEnd, routeToShow } from './view.js';

/** @typedef {import('../src/admin/sampler.ts').Look} Look */
/** @typedef {import('./chart-data.js').Moment} Moment */
/** @typedef {import('./view.js').RouteStatus} RouteStatus */

/** @type {Moment[]} */
let moments = [];
/** @type {Look | undefined} */
let look;
/** @type {ReturnType<typeof openRoute> | undefined} */
let opened;

const logsEveryMs = 5000;

/** @param {string} slug */
const openRoute = (slug) => {
  const panels = [
    createHead(),
    createAnswer('Safe to advance?', 'safeToAdvance'),
    createAnswer('Safe to roll back?', 'safeToRollBack'),
    createActions(),
    createKnobs(),
    createFacts(),
  ];
  const lists = [createGate(), createEvidence(), createMembers()];
  let charts = createCharts();
  const logs = [createFindings(), createAudit()];
  const chartBox = h('div', { class: 'charts' }, ...charts.elements);
  byId('route').replaceChildren(
    ...panels.map(({ element }) => element),
    chartBox,
    ...[...lists, ...logs].map(({ element }) => element),
  );
  const refreshLogs = () => {
    if (document.hidden) return;
    for (const log of logs) log.refresh(slug).catch(() => undefined);
  };
  const timer = setInterval(refreshLogs, logsEveryMs);
  refreshLogs();
  /** @param {RouteStatus} route */
  const update = (route) => {
    for (const panel of [...panels, ...lists]) panel.update(route);
    if (!document.hidden) charts.update(moments, route);
  };
  return {
    slug,
    update,
    /** Colours of a canvas do not follow the scheme by themselves. */
    recolour: () => {
      charts.close();
      charts = createCharts();
      chartBox.replaceChildren(...charts.elements);
    },
    close: () => {
      clearInterval(timer);
      charts.close();
    },
  };
};

/** @param {(Node | string)[]} content */
const showNoRoute = (...content) => {
  opened?.close();
  opened = undefined;
  document.title = 'Crossfade';
  byId('route').replaceChildren(h('section', { class: 'card span-12' }, ...content));
};

const showRoute = () => {
  const routes = look?.fleet.routes ?? [];
  const slugs = routes.map(({ route }) => route);
  const chosen = routeToShow(slugs, { hash: location.hash, opened: opened?.slug });
  if (chosen === undefined)
    return showNoRoute('No route yet. Apply one: ', h('code', {}, 'crossfade apply -f route.yaml'));
  if ('problem' in chosen) return showNoRoute(chosen.problem);
  const route = routes[slugs.indexOf(chosen.slug)];
  if (route === undefined) return;
  if (opened?.slug !== route.route) {
    opened?.close();
    opened = openRoute(route.route);
  }
  opened.update(route);
  document.title = `${route.route} · Crossfade`;
};

const numbers = new Set(['Read', 'Shadow', 'Write', 'Pending', 'Lag', 'Members']);
const showRoutes = () => {
  const current = opened?.slug;
  const rows = (look?.fleet.routes ?? []).map((route) => ({
    slug: route.route,
    current: route.route === current,
    cells: routeCells(route),
  }));
  redraw(byId('routes'), rows, (models) => [
    headRow([...routeHead, ...routeHeadEnd], numbers),
    h(
      'tbody',
      {},
      ...models.map(({ slug, current: isCurrent, cells }) =>
        h(
          'tr',
          { class: isCurrent ? 'current' : '' },
          h(
            'td',
            {},
            h(
              'a',
              {
                href: `#/${encodeURIComponent(slug)}`,
                'data-focus': slug,
                'aria-current': isCurrent ? 'true' : undefined,
              },
              slug,
            ),
          ),
          ...cells.map(td),
        ),
      ),
    ),
  ]);
};

const showStore = () => {
  if (look === undefined) return;
  const { store, members, errors } = look.fleet;
  const chip = byId('store');
  const alarm = store.alarm ?? (store.connected ? undefined : store.detail);
  setText(chip, alarm === undefined ? `✓ store ${store.kind}, ${members.length} members` : `✗ store: ${alarm}`);
  chip.className = `chip ${alarm === undefined ? 'good' : 'bad'}`;
  banner(errors.map(({ key, message }) => `${key}: ${message}`).join('; '));
};

/** @param {string} text */
const banner = (text) => {
  const element = byId('banner');
  setText(element, text);
  element.hidden = text === '';
};

const show = () => {
  showRoute();
  showRoutes();
  showStore();
};

/** @type {Record<string, (data: any) => void>} */
const handlers = {
  hello: ({ member, version, resumed, moments: missed }) => {
    moments = mergeMoments(moments, missed, resumed);
    setText(byId('where'), `as seen by ${member}, version ${version}`);
  },
  look: (/** @type {Look} */ next) => {
    moments = mergeMoments(moments, [next], true);
    look = next;
    show();
  },
  problem: ({ message }) => banner(`The store does not answer, so what is shown is old. ${message}`),
};

/** @param {'live' | 'lost'} link @param {string} why */
const showLink = (link, why) => {
  const chip = byId('link');
  setText(chip, link === 'live' ? '● live' : '○ reconnecting');
  chip.className = `chip ${link === 'live' ? 'good' : 'bad'}`;
  chip.title = why;
  if (link === 'lost') banner('The connection to this member is lost, so what is shown is old. Trying again.');
};

/** Asks for the token; resolves when one was typed. @param {string} why @returns {Promise<void>} */
const login = (why) =>
  new Promise((resolve) => {
    const dialog = /** @type {HTMLDialogElement} */ (byId('login'));
    const form = /** @type {HTMLFormElement} */ (dialog.querySelector('form'));
    setText(byId('login-problem'), why);
    const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('token'));
    form.onsubmit = (event) => {
      event.preventDefault();
      keepToken(field.value);
      field.value = '';
      dialog.close();
      resolve();
    };
    dialog.oncancel = (event) => event.preventDefault();
    if (!dialog.open) dialog.showModal();
  });

addEventListener('hashchange', () => {
  show();
  byId('route').focus({ preventScroll: true });
});
document.addEventListener('visibilitychange', show);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  opened?.recolour();
  show();
});

void follow({
  onEvent: ({ event, data }) => handlers[event]?.(JSON.parse(data)),
  onLink: showLink,
  onUnauthorized: login,
});
