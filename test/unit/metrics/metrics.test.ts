import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, test } from 'vitest';
import { partOf, parts } from '../../../scripts/reference.ts';
import { collectProcessMetrics, createMetrics, type Declaration, metricTable, perRoute } from '../../../src/metrics.ts';

let registry: Registry;
beforeEach(() => {
  registry = new Registry();
});

const declared = Object.values(metricTable as Record<string, Declaration>);

describe('the metrics', () => {
  test('are registered under exactly the declared names, each once', () => {
    createMetrics(registry);
    const names = registry.getMetricsAsArray().map(({ name }) => name);
    expect(names.toSorted()).toEqual(declared.map(({ name }) => name).toSorted());
  });

  test('keep the naming rules: prefix, base units, _total on counters only', async () => {
    createMetrics(registry);
    collectProcessMetrics(registry);
    for (const { name, type } of await registry.getMetricsAsJSON()) {
      expect(name).toMatch(/^crossfade_[a-z0-9_]+$/);
      expect(name).not.toMatch(/_(ms|millis|milliseconds|kb|mb)(_|$)/);
      expect(`${name} ${type}`).toMatch(/_total counter$|(?<!_total) (gauge|histogram)$/);
    }
  });

  test('have no label that names an index, a path or a document', () => {
    const labels = new Set(declared.flatMap(({ labels: sets }) => Object.keys(sets)));
    for (const open of ['index', 'path', 'id', 'url', 'member', 'key']) expect(labels).not.toContain(open);
  });

  test('cannot grow beyond 1,800 series for a route and 500 beside, whatever the traffic', () => {
    const seriesOf = ({ labels, buckets }: Declaration): number => {
      const sets = Object.values(labels).map((set) => (set === perRoute ? 1 : Math.max(1, set.length)));
      // Each bucket, the one without an end, sum and count.
      return sets.reduce((product, size) => product * size, 1) * (buckets === undefined ? 1 : buckets.length + 3);
    };
    const byRoute = (metric: Declaration): boolean => Object.values(metric.labels).includes(perRoute);
    const total = (some: readonly Declaration[]): number => some.reduce((sum, metric) => sum + seriesOf(metric), 0);
    expect(total(declared.filter(byRoute))).toBeLessThanOrEqual(1800);
    expect(total(declared.filter((metric) => !byRoute(metric)))).toBeLessThanOrEqual(500);
    // Sets that are open in the table are filled by the code from few words.
    const open = declared.filter(({ labels }) => Object.values(labels).some((set) => set.length === 0));
    expect(open.map(({ name }) => name)).toEqual(['crossfade_build_info', 'crossfade_cutover_step_seconds']);
  });

  test('have help sentences that end with a full stop', () => {
    for (const { help } of declared) expect(help).toMatch(/^[A-Z0-9].*\.$/);
  });

  test('use dense edges between half a millisecond and ten for a proxy', () => {
    const edges = (metricTable.upstreamDuration as Declaration).buckets ?? [];
    expect(edges.filter((edge) => edge >= 0.0005 && edge <= 0.01).length).toBeGreaterThanOrEqual(8);
    for (const { buckets = [] } of declared) expect(buckets).toEqual(buckets.toSorted((a, b) => a - b));
  });

  test('with one closed label start at zero, so that the first event shows in a rate', async () => {
    createMetrics(registry);
    expect(await registry.metrics()).toContain('crossfade_errors_total{code="HOLD_TIMEOUT"} 0');
  });

  test('can be created twice on two registries', () => {
    const first = createMetrics(registry);
    const second = createMetrics(new Registry());
    first.members.set(5);
    expect(second.members).not.toBe(first.members);
  });
});

describe('the reference page', () => {
  test.each(parts.map(({ page, part, render }) => [page, part, render] as const))(
    '%s agrees with the code in its part %s (node scripts/reference.ts rewrites it)',
    (page, part, render) => {
      const text = readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8');
      expect(partOf(text, part)).toBe(render());
    },
  );
});
