import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/coordination/ports.ts';
import { initialPhase, type MemberRoute, type PhaseRecord } from '../../../src/coordination/records.ts';
import { fleetStatus } from '../../../src/fleet/fleet-status.ts';
import { doubtOf, knownRoutes } from '../../../src/fleet/known-routes.ts';
import { heartbeatOf, memberLine } from '../../support/heartbeats.ts';

const slug = 'products';
const cfg = JSON.stringify({ route: slug, indices: [{ source: 'p1', target: 'p2' }] });
const phase = (over: Partial<PhaseRecord>): string => JSON.stringify({ ...initialPhase, ...over });
const stored = (values: Record<string, string>): Entry[] =>
  Object.entries(values).map(([field, value], i) => ({ key: `rt.${slug}.${field}`, value, revision: i + 1 }));
const inTarget: Partial<MemberRoute> = { phase: 'target', epoch: 4, reign: 2, phaseRevision: 9 };
const inDual: Partial<MemberRoute> = { phase: 'dual', epoch: 3, reign: 1, phaseRevision: 9 };
const told = (line: Partial<MemberRoute> | undefined) =>
  line === undefined ? [] : [heartbeatOf('a', { [slug]: memberLine(line) })];

const rows: [string, Record<string, string>, Partial<MemberRoute> | undefined, object | undefined, boolean][] = [
  ['all is good', { cfg, phase: phase({ phase: 'dual', epoch: 5 }) }, inDual, { phase: 'dual', epoch: 5 }, false],
  [
    'the store went back behind a switch',
    { cfg, phase: phase({ phase: 'dual', epoch: 1 }) },
    inTarget,
    { phase: 'target', epoch: 4, reign: 2 },
    true,
  ],
  [
    'the store went back behind a move',
    { cfg, phase: phase({ phase: 'observe', epoch: 1 }) },
    { ...inDual, epoch: 1 },
    { phase: 'dual', epoch: 1 },
    true,
  ],
  ['it has no phase yet', { cfg }, { ...inTarget, phaseRevision: 0 }, { phase: 'off', epoch: 0 }, false],
  ['its phase is rubbish', { cfg, phase: 'target' }, inTarget, { phase: 'target', epoch: 4, reign: 2 }, true],
  ['its phase was deleted', { cfg }, inTarget, { phase: 'target', epoch: 4, reign: 2 }, true],
  ['its phase is rubbish and no member runs', { cfg, phase: 'target' }, undefined, { phase: 'off' }, true],
  [
    'its spec is rubbish',
    { cfg: '{', phase: phase({ phase: 'target', epoch: 4 }) },
    inTarget,
    { phase: 'target' },
    true,
  ],
  ['its spec was deleted', { phase: phase({ phase: 'target', epoch: 4 }) }, undefined, { phase: 'target' }, true],
  ['both were deleted', { stop: 'on' }, inTarget, { phase: 'target' }, true],
  ['both were deleted, and nothing else was ever set', {}, inTarget, { phase: 'target', epoch: 4, reign: 2 }, true],
  ['all is deleted, and members hold it as off', {}, { ...inTarget, phase: 'off' }, undefined, false],
  ['its spec is rubbish in off, where it may be put right', { cfg: '{' }, undefined, { phase: 'off' }, false],
  ['it was deleted in off', { phase: phase({ epoch: 4 }) }, { ...inTarget, phase: 'off' }, undefined, false],
  ['only a slip of the pen has its name', { 'pct.read': '25' }, undefined, undefined, false],
];

describe('a route of which', () => {
  it.each(rows)('%s', (_, values, line, expected, inDoubt) => {
    const route = knownRoutes(stored(values), told(line)).get(slug);
    if (expected === undefined) return expect(route).toBeUndefined();
    expect(route?.phase).toMatchObject(expected);
    expect(route && doubtOf(route) !== undefined).toBe(inDoubt);
  });
});

describe('the status of the fleet', () => {
  const statusOf = (values: Record<string, string>) =>
    fleetStatus({
      store: { connected: true, kind: 'nats', detail: '', incarnation: 'i', alarm: undefined },
      config: stored(values),
      live: told({ ...inTarget, percent: { read: 10, shadow: 0, write: 100 } }).map((beat) => ({
        key: 'hb.a',
        value: JSON.stringify(beat),
        revision: 1,
      })),
    });

  it('shows a route whose phase is gone where the members are, and names the key', () => {
    const { routes, errors } = statusOf({ cfg, 'pct.read': '90' });
    expect(routes).toMatchObject([{ route: slug, phase: 'target', epoch: 4, reign: 2, percent: { read: 10 } }]);
    expect(errors).toEqual([{ key: `rt.${slug}.phase`, message: expect.stringContaining('is missing') }]);
    expect(routes[0]?.errors).toEqual(errors);
  });

  it('does not show the name of the store, which is a key of hashes', () => {
    const secret = '5f0e2a3c-0000-4000-8000-000000000000';
    const store = { connected: true, kind: 'nats', detail: '', incarnation: secret, alarm: undefined } as const;
    const shown = fleetStatus({ store, config: [], live: [] });
    expect(JSON.stringify(shown)).not.toContain(secret);
    expect(shown.store.incarnation).toMatch(/^[a-z0-9]{1,4}$/);
  });

  it('shows what is in force where a backup was put back, and not what the backup says', () => {
    const { routes } = statusOf({ cfg, phase: phase({ phase: 'dual', epoch: 1 }), 'pct.read': '90' });
    expect(routes).toMatchObject([{ phase: 'target', epoch: 4, reign: 2, percent: { read: 10 } }]);
    expect(routes[0]?.errors).toEqual([{ key: `rt.${slug}.phase`, message: expect.stringContaining('is older') }]);
  });

  it('shows the percentages in force where the brake cannot be read', () => {
    const { routes } = statusOf({ cfg, phase: phase({ phase: 'target', epoch: 4 }), 'pct.read': '90', stop: 'maybe' });
    expect(routes[0]?.percent.read).toBe(10);
  });
});
