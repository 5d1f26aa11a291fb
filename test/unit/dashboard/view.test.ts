/** The page's own logic, without a browser. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chartSpecs,
  columnsOf,
  keptMoments,
  mergeMoments,
  pauseCounts,
  pauseLabels,
  timeRange,
} from '../../../dashboard/chart-data.js';
import { curlOf, findingOf, pathText } from '../../../dashboard/findings-view.js';
import { bytes, milliseconds, percent, seconds, short, time } from '../../../dashboard/format.js';
import { createSseParser } from '../../../dashboard/sse-parse.js';
import {
  actionsOf,
  answerFor,
  attention,
  evidenceHead,
  evidenceRows,
  factsOf,
  gateRows,
  inForce,
  memberHead,
  memberRows,
  routeCells,
  routeHead,
  routeHeadEnd,
  stepsOf,
  routeToShow,
} from '../../../dashboard/view.js';
import { frameText, heartbeatText } from '../../../src/admin/sse.ts';
import type { ChartPoint } from '../../../src/fleet/chart-point.ts';
import { fleetStatus, type RouteStatus } from '../../../src/fleet/fleet-status.ts';
import { stages } from '../../../src/coordination/job-status.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { askActions, initialPhase, type Phase, phases } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';

/** A route as the store gives it: nobody runs it, so nearly everything is unknown. */
const bare = (phase: Phase = 'dual'): RouteStatus => {
  const spec = RouteSpec.parse({ route: 'products', indices: [{ source: 'a', target: 'b' }] });
  const config = [
    { key: keys.config('products'), value: JSON.stringify(spec), revision: 1 },
    { key: keys.phase('products'), value: JSON.stringify({ ...initialPhase, phase, epoch: 1 }), revision: 2 },
  ];
  const store = { connected: true, kind: 'file', detail: '', incarnation: 'i', alarm: undefined } as const;
  const [route] = fleetStatus({ store, config, live: [] }).routes;
  if (route === undefined) throw new Error('no route');
  return route;
};

describe('a route that nobody runs', () => {
  it('shows dashes, never zeros that look like good news', () => {
    const texts = factsOf(bare()).map(({ name, text }) => `${name} ${text}`);
    for (const name of ['Backfill', 'Tail', 'Sweep', 'Ledger', 'Proof']) expect(texts).toContain(`${name} –`);
  });

  it('asks for attention', () => {
    expect(attention(bare())).toEqual(['No member leads this route now.', 'No member is running.']);
  });

  it('has a cell for each column', () => {
    expect(routeCells(bare())).toHaveLength(routeHead.length + routeHeadEnd.length - 1);
    expect(memberHead).toHaveLength(9);
  });
});

describe('the stages', () => {
  it.each(stages)('are nine steps in %s, with one at most under way', (stage) => {
    const steps = stepsOf({ ...bare(), stage });
    expect(steps).toHaveLength(9);
    expect(steps.filter(({ state }) => state === 'now').length).toBe(stage === 'Complete' ? 0 : 1);
  });

  it.each(['Paused', 'Aborted', 'Failed'] as const)('say %s in words and not by colour alone', (stage) => {
    expect(stepsOf({ ...bare(), stage }).find(({ state }) => state === 'now')?.note).toBe(`▶ ${stage}`);
  });
});

describe('a pause', () => {
  const backfill = (state: 'running' | 'done') => ({ state, docs: 1 });
  const now = (over: Partial<RouteStatus>) =>
    stepsOf({ ...bare(), stage: 'Paused', ...over }).findIndex(({ state }) => state === 'now');
  it.each<[string, Partial<RouteStatus>, number]>([
    ['the preparation', { phase: 'observe' }, 0],
    ['dual writes', { backfill: null }, 1],
    ['the backfill', { backfill: backfill('running') }, 2],
    ['the check', { backfill: backfill('done') }, 3],
    ['the comparison', { backfill: backfill('done'), percent: { read: 0, shadow: 5, write: 100 } }, 4],
    ['the ramp', { backfill: backfill('done'), percent: { read: 5, shadow: 5, write: 100 } }, 5],
    ['a switch that was aborted', { stage: 'Aborted', backfill: backfill('done') }, 6],
    ['the soak', { phase: 'target' }, 7],
  ])('is shown at %s', (_, over, step) => {
    expect(now(over)).toBe(step);
  });
});

describe('the buttons', () => {
  const enabled = (route: RouteStatus) =>
    actionsOf(route)
      .filter((one) => one.enabled)
      .map(({ id }) => id);

  it.each<[Phase, string[]]>([
    ['off', ['advance', 'pause', 'rollback', 'stop']],
    ['observe', ['advance', 'pause', 'rollback', 'stop']],
    ['dual', ['advance', 'rehearse', 'pause', 'rollback', 'stop']],
    ['target', ['advance', 'rehearse', 'pause', 'rollback', 'stop']],
    ['final', ['pause', 'stop']],
  ])('in %s that do something are %j', (phase, expected) => {
    expect(enabled(bare(phase))).toEqual(expected);
  });

  it.each(phases)('ask in %s for what the leader knows', (phase) => {
    const asks = actionsOf(bare(phase)).flatMap(({ does }) => ('ask' in does ? [does.ask] : []));
    for (const ask of asks) expect(askActions).toContain(ask);
  });

  it.each(['off', 'observe', 'dual'] as const)(
    'advance from %s, and say so, as the next step may mean more',
    (phase) => {
      const action = actionsOf(bare(phase)).find(({ id }) => id === 'advance');
      expect(action?.does).toEqual({ ask: 'advance', phase });
    },
  );

  it('finalize from target, and say that there is no way back', () => {
    const [action] = actionsOf(bare('target'));
    expect(action).toMatchObject({ label: 'Finalize…', does: { ask: 'finalize' }, danger: true });
    expect(action?.text).toContain('no longer possible');
  });

  it.each<[Phase, string, boolean | undefined, boolean]>([
    ['dual', 'advance', false, true],
    ['dual', 'rehearse', false, true],
    ['dual', 'rollback', true, false],
    ['target', 'advance', false, false],
    ['target', 'rehearse', true, true],
    ['target', 'rollback', true, true],
    ['observe', 'advance', false, false],
    ['dual', 'pause', undefined, false],
  ])(
    'in %s: %s shows the answer that the leader will give, and the conditions that are its own',
    (phase, id, ok, has) => {
      const gate = [{ condition: 'proof', ok: false, value: 'never', need: 'within 120 s' }];
      const [safeToAdvance, safeToRollBack] = [
        { ok: false, reasons: ['proof'] },
        { ok: true, reasons: [] },
      ];
      const route = { ...bare(phase), gate, safeToAdvance, safeToRollBack };
      const action = actionsOf(route).find((one) => one.id === id);
      const answer = action && answerFor(route, action);
      expect(answer?.ok).toBe(ok);
      expect((answer?.rows.length ?? 0) > 0).toBe(has);
    },
  );

  it('offer to abort while writes are held, and no second switch', () => {
    const hold = { to: 'target', rehearsal: false, budgetMs: 1, graceMs: 1 } as const;
    const actions = actionsOf({ ...bare(), hold });
    expect(actions.map(({ label, enabled: on }) => [label, on])).toEqual([
      ['Cut over…', false],
      ['Abort…', true],
      ['Pause…', true],
      ['Roll back…', true],
      ['Stop…', true],
    ]);
  });

  it('turn round once their effect is there', () => {
    const labels = actionsOf({ ...bare(), stage: 'Paused', stop: true }).map(({ label }) => label);
    expect(labels).toContain('Resume…');
    expect(labels).toContain('Release stop…');
  });
});

describe('a percentage', () => {
  const percents = { read: 25, shadow: 0, write: 100 };
  it.each<[string, Partial<RouteStatus>, string]>([
    ['is in force', { percent: percents, percentSet: percents }, 'in force'],
    ['waits for its phase', { phase: 'observe', percentSet: percents }, 'not used in observe'],
    ['is overruled by stop', { stop: true, percentSet: percents, percent: { ...percents, read: 0 } }, '0 %: stopped'],
    [
      'waits for the backfill',
      { percentSet: percents, percent: { ...percents, read: 0 }, readBarrier: 'not filled' },
      '0 %: not filled',
    ],
    ['was refused', { percentSet: percents, percent: { ...percents, read: 5 } }, 'in force: 5 %'],
  ])('%s', (_, over, expected) => {
    expect(inForce({ ...bare(), ...over }, 'read')).toBe(expected);
  });
});

describe('conditions and members', () => {
  it('say what is and what must be', () => {
    const gate = [{ condition: 'tail caught up', ok: false, value: '9 s', need: 'at most 3 s' }];
    expect(gateRows({ ...bare(), gate })).toEqual([
      { ok: false, text: 'tail caught up', detail: '9 s', need: 'needs at most 3 s' },
    ]);
  });

  it('say in words which evidence is beyond its limit', () => {
    const one = { severity: 'S4', value: 250, limit: 200, share: 0.1, low: 0.05, high: 0.2, tolerated: 0.001 };
    const verdict = { verdict: 'rollback' as const, reason: '', samples: 9, perShape: [], eValues: [one] };
    const rows = evidenceRows({ ...bare(), verdict });
    expect(rows.map((cells) => cells.map(({ text }) => text))).toEqual([
      ['✗ S4', '10 %', '5 % – 20 %', '0.1 %', '–', '250', '200'],
    ]);
    expect(rows[0]).toHaveLength(evidenceHead.length);
    expect(evidenceRows(bare())).toEqual([]);
  });

  it('show a member that does not know the route yet', () => {
    const member = { member: 'm1', boot: 'b', version: '1', admin: undefined, stale: true };
    expect(memberRows({ ...bare(), members: [member] })[0]?.map(({ text }) => text)).toEqual([
      ...['m1', '–, stale', '–', '–', '–', '–', '–', '–', ''],
    ]);
  });
});

describe('texts', () => {
  it.each([
    [short(0.123), '0.12'],
    [short(45.678), '45.7'],
    [short(12_345), '12.3k'],
    [short(null), '–'],
    [milliseconds(0.5), '0.50 ms'],
    [milliseconds(1500), '1.5 s'],
    [seconds(7200), '2.0 h'],
    [seconds(undefined), '–'],
    [percent(12.5), '12.5 %'],
    [bytes(2048), '2 KiB'],
    [time('2026-11-28T22:36:16.123Z'), '2026-11-28 22:36:16'],
    [time(undefined), '–'],
  ])('%s', (told, expected) => {
    expect(told).toBe(expected);
  });
});

describe('events as the page reads them', () => {
  it('are what the server wrote, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ event: fc.constantFrom('look', 'hello'), data: fc.json() })),
        fc.nat(40),
        (frames, cut) => {
          const text = frames.map((frame) => frameText({ ...frame, id: 'b.1' }) + heartbeatText).join('');
          const parse = createSseParser();
          const size = cut + 1;
          const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
            text.slice(i * size, (i + 1) * size),
          );
          const events = pieces.flatMap((piece) => parse(piece));
          expect(events).toEqual(frames.map(({ event, data }) => ({ event, id: 'b.1', data: JSON.stringify(data) })));
        },
      ),
    );
  });
});

describe('the moments of the charts', () => {
  const moment = (seq: number, atMs = seq * 2000) => ({ seq, atMs, points: {} });

  it('come once each, in order, and not for ever', () => {
    const known = mergeMoments([], [moment(1), moment(2)], false);
    expect(mergeMoments(known, [moment(2), moment(3)], true).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    const many = Array.from({ length: 600 }, (_, i) => moment(i + 1));
    expect(mergeMoments([], many, false)).toHaveLength(keptMoments);
  });

  it('begin again with another process', () => {
    expect(mergeMoments([moment(90)], [moment(1)], false).map(({ seq }) => seq)).toEqual([1]);
  });

  it('have a gap where nobody looked', () => {
    const point = { pending: 4 } as ChartPoint;
    const at = (seq: number, atMs: number) => ({ seq, atMs, points: { products: point } });
    const series = [{ label: 'pending', color: 'x', dash: [], value: ({ pending }: ChartPoint) => pending }];
    expect(columnsOf([at(1, 0), at(2, 2000), at(3, 60_000)], 'products', series)).toEqual([
      [0, 2, 2.001, 60],
      [4, 4, null, 4],
    ]);
    expect(columnsOf([at(1, 0)], 'others', series)).toEqual([[0], [null]]);
  });

  it('are drawn by every chart, also when nothing was measured', () => {
    const point: ChartPoint = {
      rates: [1, 2, 3, 4, 5],
      source: [1, 2, 3],
      target: [null, null, null],
      added: [1, 2, 3],
      severities: [9, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3],
      pending: 1,
      oldestPendingMs: 500,
      lagSeconds: null,
      evidence: [0.5, 3, null],
    };
    const valuesOf = (id: string) => chartSpecs.find((spec) => spec.id === id)?.series.map(({ value }) => value(point));
    expect(valuesOf('severities')).toEqual([9, 3, 6, 12]);
    expect(valuesOf('evidence')).toEqual([0.5, 3, null, 1]);
    point.evidence = [0, 1e9, null];
    expect(valuesOf('evidence')).toEqual([0.001, 1000, null, 1]);
    expect(valuesOf('lag')).toEqual([null, 0.5]);
    for (const { series } of chartSpecs)
      expect(new Set(series.map(({ color, dash }) => `${color} ${dash}`)).size).toBe(series.length);
  });

  it('fill two minutes at least', () => {
    expect([timeRange(1000, 1010), timeRange(0, 1000)]).toEqual([
      [890, 1010],
      [0, 1000],
    ]);
  });

  it('count each pause in one bar', () => {
    const counts = pauseCounts([5, 10, 11, 480, 9000, 5000]);
    expect(counts).toHaveLength(pauseLabels.length);
    expect(counts).toEqual([2, 1, 0, 0, 0, 1, 0, 0, 1, 1]);
  });
});

describe('a sample of a mismatch', () => {
  const request = { method: 'POST', path: '/p/_search', query: 'size=1', body: `{"q":"it's"}` };
  const difference = {
    severity: 'S7',
    kind: 'value',
    path: ['hits', { key: '#ab' }, 0],
    authority: '#x',
    other: { a: 1 },
  };

  it('shows both sides next to each other', () => {
    expect(findingOf({ id: 'd', at: '', differences: [difference] }).rows).toEqual([
      ['hits.#ab.0', 'S7 value', '#x', '{\n "a": 1\n}'],
    ]);
  });

  it('is a command for a shell, whatever is in it', () => {
    expect(curlOf(request)).toBe(
      `curl -sS --globoff -X POST 'http://127.0.0.1:9200/p/_search?size=1' -H 'content-type: application/json' --data-raw '{"q":"it'\\''s"}'`,
    );
    expect(curlOf({ method: 'GET', path: '/p/_doc/1', query: '' })).toBe(
      `curl -sS --globoff -X GET 'http://127.0.0.1:9200/p/_doc/1'`,
    );
  });

  it('may lack anything but its id', () => {
    expect(findingOf({ id: 'd', at: '' }).rows).toEqual([]);
    expect(pathText(undefined)).toBe('');
  });
});

describe('the route that is shown', () => {
  const slugs = ['orders', 'products'];
  it.each([
    ['the one that the address names', '#/products', undefined, { slug: 'products' }],
    ['the first, without an address', '', undefined, { slug: 'orders' }],
    ['the open one, at a place on the page such as that of the skip link', '#route', 'products', { slug: 'products' }],
    ['the first, at an address that names none', '#/', undefined, { slug: 'orders' }],
    ['none, by a name that no route has', '#/gone', 'products', { problem: 'No route is called gone.' }],
    ['none, by a name that cannot be decoded', '#/%E0%A4%A', 'orders', { problem: 'No route is called %E0%A4%A.' }],
  ])('is %s', (_, hash, opened, shown) => {
    expect(routeToShow(slugs, { hash, opened })).toEqual(shown);
  });

  it('is none while there is none', () => {
    expect(routeToShow([], { hash: '#/products', opened: undefined })).toBeUndefined();
  });
});
