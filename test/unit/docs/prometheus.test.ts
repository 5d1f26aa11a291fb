/** Rules and dashboard name only metrics and labels that exist, and every alert has its page. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Declaration, metricTable } from '../../../src/metrics.ts';
import { filesIn, read } from './files.ts';

type Rule = {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
};
const { groups } = parse(read('deploy/prometheus/crossfade-rules.yaml')) as {
  groups: { name: string; rules: Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule) => rule.alert !== undefined);
const recorded = rules.flatMap(({ record }) => (record === undefined ? [] : [record]));

const declared = new Map(Object.values(metricTable as Record<string, Declaration>).map((one) => [one.name, one]));
/** Process metrics have fixed names of their own. */
const processMetric = /^crossfade_(process|nodejs)_/;

const metricsIn = (expr: string): string[] => {
  const others = recorded.reduce((text, name) => text.replaceAll(name, ''), expr);
  return [...others.matchAll(/\bcrossfade_\w+/g)].map(([name]) => name);
};
const baseName = (name: string): string => {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  return declared.get(base)?.type === 'histogram' ? base : name;
};
const unknownMetrics = (expr: string): string[] =>
  metricsIn(expr).filter((name) => !processMetric.test(name) && !declared.has(baseName(name)));

/** Values in matchers that the metric's closed label set does not have. */
const unknownValues = (expr: string): string[] =>
  [...expr.matchAll(/(crossfade_\w+)\{([^}]*)\}/g)].flatMap(([, name = '', matchers = '']) => {
    const labels = declared.get(baseName(name))?.labels ?? {};
    return [...matchers.matchAll(/(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"/g)].flatMap(([, label = '', values = '']) => {
      const known = (labels as Record<string, unknown>)[label];
      if (known === undefined) return [`${name} has no label ${label}`];
      const closed = Array.isArray(known) ? (known as string[]) : [];
      const strange = values.split('|').filter((value) => closed.length > 0 && !closed.includes(value));
      return values.startsWith('$') ? [] : strange.map((value) => `${name}: ${label} is never ${value}`);
    });
  });

type Panel = { id: number; type: string; title: string; datasource?: { uid: string }; targets?: { expr: string }[] };
const dashboard = JSON.parse(read('deploy/grafana/crossfade.json')) as {
  uid: string;
  templating: { list: { name: string; type: string }[] };
  panels: Panel[];
};
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

describe.each([
  ['the rules', rules.map(({ expr }) => expr)],
  ['the dashboard', queries],
])('%s', (_, expressions) => {
  it('ask for metrics, labels and values that exist', () => {
    expect(expressions.length).toBeGreaterThan(15);
    expect(expressions.flatMap(unknownMetrics)).toEqual([]);
    expect(expressions.flatMap(unknownValues)).toEqual([]);
  });
});

describe('the rules', () => {
  it('use recorded series only where one of them records it', () => {
    const used = rules.flatMap(({ expr }) => [...expr.matchAll(/\b\w+:crossfade_\w+:\w+/g)].map(([name]) => name));
    expect(used.filter((name) => !recorded.includes(name))).toEqual([]);
  });

  it.each(alerts.map((rule) => [rule.alert ?? '', rule] as const))(
    'give %s slack, severity, summary and a page',
    (name, rule) => {
      expect(name).toMatch(/^Crossfade[A-Z]\w+$/);
      expect(rule.for).toMatch(/^\d+[sm]$/);
      expect(['critical', 'warning']).toContain(rule.labels?.['severity']);
      expect(rule.annotations?.['summary']).toMatch(/\.$/);
      expect(rule.annotations?.['runbook_url']).toBe(`docs/runbook/${name}.md`);
    },
  );

  it('have as many alerts as there are pages in the runbook', () => {
    const wanted = alerts.map(({ alert }) => `docs/runbook/${alert}.md`);
    expect(filesIn('docs/runbook', '.md')).toEqual(wanted.toSorted());
  });

  it('each fire in a test of promtool, and no other name is tested', () => {
    const text = read('deploy/prometheus/crossfade-rules.test.yaml');
    type Case = { alertname: string; exp_alerts: unknown[] };
    const { rule_files: files, tests } = parse(text) as { rule_files: string[]; tests: { alert_rule_test: Case[] }[] };
    expect(files).toEqual(['crossfade-rules.yaml']);
    const cases = tests.flatMap(({ alert_rule_test: cases }) => cases);
    const firing = cases.filter(({ exp_alerts: expected }) => expected.length > 0).map(({ alertname }) => alertname);
    expect([...new Set(firing)].toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
    for (const { alertname } of cases) expect(alerts.map(({ alert }) => alert)).toContain(alertname);
  });

  it('keep fleets apart that call their routes the same', () => {
    for (const { expr, alert, record } of rules.filter(({ expr }) => /\bby \(/.test(expr)))
      for (const [, labels = ''] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
        expect(labels, alert ?? record).toMatch(/^namespace\b/);
  });
});

describe('the dashboard', () => {
  it('can be provisioned: a fixed uid, the data source as a variable, ids of panels used once', () => {
    expect(dashboard.uid).toBe('crossfade');
    expect(dashboard.templating.list.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'datasource datasource',
      'route query',
    ]);
    const drawn = dashboard.panels.filter(({ type }) => type !== 'row');
    for (const { datasource } of drawn) expect(datasource?.uid).toBe('${datasource}');
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});
