/** Draws the charts with uPlot. Boxes have a fixed height, so nothing moves when data comes. */
import { chartSpecs, columnsOf, pauseCounts, pauseLabels, timeRange } from './chart-data.js';
import { h, setText } from './dom.js';
import uPlot from './uplot.js';

/** @typedef {import('./chart-data.js').Moment} Moment */
/** @typedef {import('./chart-data.js').ChartSpec} ChartSpec */
/** @typedef {import('./chart-data.js').Series} Series */
/** @typedef {{ element: HTMLElement, update(moments: readonly Moment[], slug: string): void, resize(): void, close(): void }} Chart */

const plotHeight = 160;
const axisWidth = 46;
const font = '11px system-ui, sans-serif';

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** @param {number[]} dash @param {string} name */
const swatch = (dash, name) => {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'line');
  for (const [key, value] of Object.entries({ width: 12, height: 8 })) svg.setAttribute(key, String(value));
  for (const [key, value] of Object.entries({ x1: 0, x2: 12, y1: 4, y2: 4, 'stroke-width': 2, stroke: colour(name) }))
    line.setAttribute(key, String(value));
  if (dash.length > 0) line.setAttribute('stroke-dasharray', dash.join(' '));
  svg.append(line);
  return svg;
};

/** On a scale of powers of ten. @param {[number, number]} range @returns {number[]} */
const powers = ([least, most]) => {
  const [from, to] = [Math.round(Math.log10(least)), Math.round(Math.log10(most))];
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
};

/** @param {(value: number | null) => string} show @returns {uPlot.Axis[]} */
const axes = (show) => {
  const shared = { stroke: colour('quiet'), font, ticks: { show: false }, grid: { stroke: colour('grid'), width: 1 } };
  return [
    { ...shared, size: 24, values: (_, ticks) => ticks.map(clock), space: 70 },
    {
      ...shared,
      size: axisWidth,
      space: 28,
      values: (_, ticks) => ticks.map((tick) => show(tick).replace(/\.0+(?=\D|$)/, '')),
    },
  ];
};
/** The library leaves some ticks out where they would stand too close. @type {uPlot.Axis.DynamicValues} */
const powerTexts = (_, ticks) => ticks.map((tick) => (tick === null ? '' : String(tick)));

/** @param {[number, number]} range */
const logAxes = (range) =>
  axes(String).map((axis, i) => (i === 0 ? axis : { ...axis, splits: powers(range), values: powerTexts }));

/** @param {number} at seconds */
const clock = (at) => new Date(at * 1000).toISOString().slice(11, 19);

/** @param {HTMLElement} box @returns {number} */
const widthOf = (box) => Math.max(120, box.clientWidth);

/** One line per group, or all in a row. @param {readonly Series[]} series @param {readonly HTMLElement[]} values */
const legendOf = (series, values) => {
  const entries = series.map(({ group = '', label, color, dash }, i) => ({
    group,
    entry: h('span', {}, swatch(dash, color), `${label} `, /** @type {Node} */ (values[i])),
  }));
  const groups = Map.groupBy(entries, ({ group }) => group);
  const lines = [...groups].flatMap(([group, members]) => {
    const inside = members.map(({ entry }) => entry);
    return group === '' ? inside : [h('div', { class: 'line' }, h('span', {}, group), ...inside)];
  });
  return h('div', { class: 'legend' }, ...lines);
};

/** @param {ChartSpec} spec @returns {Chart} */
const timeChart = ({ id, title, show, series, range }) => {
  const values = series.map(() => h('b', {}, '–'));
  const legend = legendOf(series, values);
  const empty = h('p', { class: 'empty' }, 'nothing measured yet');
  const box = h('div', { class: 'plot', role: 'img', 'aria-label': title }, empty);
  const element = h('section', { class: 'card chart span-3', 'data-chart': id }, h('h2', {}, title), legend, box);
  /** @type {uPlot | undefined} */
  let plot;
  /** @type {ReturnType<typeof columnsOf>} */
  let columns = [[]];

  const tell = () => {
    const at = plot?.cursor.idx ?? columns[0].length - 1;
    const texts = series.map((_, i) => show(columns[i + 1]?.[at] ?? null));
    texts.forEach((text, i) => setText(/** @type {Node} */ (values[i]), text));
    box.setAttribute(
      'aria-label',
      `${title}: ${series.map(({ group = '', label }, i) => `${group} ${label} ${texts[i]}`.trim()).join(', ')}`,
    );
  };
  const create = () =>
    new uPlot(
      {
        width: widthOf(box),
        height: plotHeight,
        cursor: { sync: { key: 'crossfade' }, drag: { x: false, y: false }, points: { size: 5 } },
        legend: { show: false },
        scales: {
          x: { range: (_, from, to) => timeRange(from, to) },
          y:
            range === undefined
              ? { range: (_, __, top) => [0, top > 0 ? top * 1.1 : 1] }
              : { distr: 3, log: 10, range },
        },
        axes: range === undefined ? axes(show) : logAxes(range),
        series: [
          {},
          ...series.map(({ label, color, dash }) => ({
            label,
            stroke: colour(color),
            width: 1.5,
            dash,
            spanGaps: false,
            points: { show: false },
          })),
        ],
        hooks: { setCursor: [tell] },
      },
      columns,
      box,
    );
  return {
    element,
    update: (moments, slug) => {
      columns = columnsOf(moments, slug, series);
      empty.hidden = columns.slice(1).some((column) => column.some((value) => value !== null));
      if (!box.isConnected) return;
      if (plot === undefined) plot = create();
      else plot.setData(columns);
      tell();
    },
    resize: () => plot?.setSize({ width: widthOf(box), height: plotHeight }),
    close: () => plot?.destroy(),
  };
};

const bars = /** @type {NonNullable<typeof uPlot.paths.bars>} */ (uPlot.paths.bars);

/** @returns {{ element: HTMLElement, update(pausesMs: readonly number[]): void, resize(): void, close(): void }} */
const pauseChart = () => {
  const text = h('span', {}, 'no switch yet');
  const box = h('div', { class: 'plot', role: 'img' });
  const title = 'Pauses of writes at switches, in ms';
  const element = h(
    'section',
    { class: 'card chart span-3', 'data-chart': 'pauses' },
    h('h2', {}, title),
    h('div', { class: 'legend' }, text),
    box,
  );
  /** @type {uPlot | undefined} */
  let plot;
  const positions = pauseLabels.map((_, i) => i);
  const create = (/** @type {number[]} */ counts) =>
    new uPlot(
      {
        width: widthOf(box),
        height: plotHeight,
        cursor: { show: false },
        legend: { show: false },
        scales: {
          x: { time: false, range: [-0.6, pauseLabels.length - 0.4] },
          y: { range: (_, __, top) => [0, Math.max(top, 1) * 1.1] },
        },
        axes: axes(() => '').map((axis, i) =>
          i === 0
            ? { ...axis, splits: positions, values: () => pauseLabels, space: 10, grid: { show: false } }
            : { ...axis, incrs: [1, 2, 5, 10, 20, 50], values: (_, ticks) => ticks.map(String) },
        ),
        series: [
          {},
          {
            fill: colour('accent'),
            width: 0,
            paths: bars({ size: [0.7] }),
            points: { show: false },
          },
        ],
      },
      [positions, counts],
      box,
    );
  return {
    element,
    update: (pausesMs) => {
      const counts = pauseCounts(pausesMs);
      if (plot === undefined && box.isConnected) plot = create(counts);
      else plot?.setData([positions, counts]);
      const told =
        pausesMs.length === 0
          ? 'no switch yet'
          : `${pausesMs.length === 1 ? '1 switch' : `${pausesMs.length} switches`}, last ${Math.round(pausesMs.at(-1) ?? 0)} ms, longest ${Math.round(Math.max(...pausesMs))} ms`;
      setText(text, told);
      box.setAttribute('aria-label', `${title}: ${told}`);
    },
    resize: () => plot?.setSize({ width: widthOf(box), height: plotHeight }),
    close: () => plot?.destroy(),
  };
};

/** All charts of a route. */
export const createCharts = () => {
  const charts = chartSpecs.map(timeChart);
  const pauses = pauseChart();
  const resized = new ResizeObserver(() => [...charts, pauses].forEach((chart) => chart.resize()));
  resized.observe(document.documentElement);
  return {
    elements: [...charts, pauses].map(({ element }) => element),
    /** @param {readonly Moment[]} moments @param {import('./view.js').RouteStatus} route */
    update: (moments, route) => {
      for (const chart of charts) chart.update(moments, route.route);
      pauses.update(route.pausesMs);
    },
    close: () => {
      resized.disconnect();
      for (const chart of [...charts, pauses]) chart.close();
    },
  };
};
