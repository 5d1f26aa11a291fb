import { describe, expect, test } from 'vitest';
import { adminUrl } from '../../../src/app/admin-address.ts';
import { createEvidence } from '../../../src/app/evidence.ts';
import { brakeText } from '../../../src/coordination/effective.ts';
import { evidenceSubject } from '../../../src/coordination/evidence-subject.ts';
import { noShadow, type RouteFacts, routeLine } from '../../../src/app/heartbeat-report.ts';
import { readAliases } from '../../../src/app/read-aliases.ts';
import { learnDialect, mappingTypesOf } from '../../../src/app/source-dialect.ts';
import { AdminConfig } from '../../../src/config.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { MemberRoute } from '../../../src/coordination/records.ts';
import type { ShadowReport } from '../../../src/proxy/shadow/ports.ts';
import type { Transport } from '../../../src/upstream/types.ts';
import { routeState } from '../../support/routes.ts';

describe('the address of the admin listener that others are told', () => {
  const tls = { certFile: 'c', keyFile: 'k' };
  test.each([
    [{ publicUrl: 'https://pod.example:9600' }, '0.0.0.0', '10.0.0.7', 'https://pod.example:9600'],
    [{}, '0.0.0.0', '10.0.0.7', 'http://10.0.0.7:9600'],
    [{}, '::', 'fd00::7', 'http://[fd00::7]:9600'],
    [{ tls }, '10.0.0.7', undefined, 'https://10.0.0.7:9600'],
    [{}, '127.0.0.1', '10.0.0.7', 'http://127.0.0.1:9600'],
    [{}, '0.0.0.0', undefined, undefined],
  ])('%j on %s in a pod %s is %s', (config, host, podIp, expected) => {
    expect(adminUrl(AdminConfig.parse(config), { host, port: 9600 }, podIp)).toBe(expected);
  });
});

describe('a line of the heartbeat', () => {
  const state = {
    ...routeState({ phase: 'dual', percent: { read: 25 }, stop: true }),
    errors: [{ key: 'rt.products.rate', message: 'no' }],
  };
  const facts: RouteFacts = {
    state,
    mayServe: true,
    isBraked: false,
    admission: { phaseRevision: 2, epoch: 1, held: true, heldRequests: 4, inFlight: 3, byQuery: 1, drained: false },
    copies: {
      pendingCopies: 1,
      pendingBytes: 2,
      oldestPendingMs: 3.7,
      dropped: 4,
      quarantined: 5,
      unknownOutcomes: 6,
      sweepNeeded: 7,
      ledger: [8],
      reign: 1,
    },
    unclear: 9,
    shadow: noShadow,
    copyProblems: ['target: 429'],
  };
  const line = routeLine(facts);

  test('is a valid record', () => {
    expect(MemberRoute.safeParse(line).error).toBeUndefined();
  });

  test('tells what is in force and what is wrong', () => {
    expect(line).toMatchObject({
      phaseRevision: 2,
      held: true,
      drained: false,
      percent: { read: 0, write: 100 },
      ledger: [8],
    });
    expect(line.errors).toEqual(['rt.products.rate: no', 'target: 429']);
  });

  test('says that the brake of the member keeps its reads at home, where it would have any', () => {
    const braked = { ...facts, isBraked: true, state: { ...state, stop: false } };
    expect(routeLine(braked)).toMatchObject({ percent: { read: 0 }, errors: expect.arrayContaining([brakeText]) });
    expect(routeLine({ ...braked, isBraked: false }).percent.read).toBe(25);
    expect(routeLine({ ...braked, state }).errors).not.toContain(brakeText);
  });
});

describe('mapping types in paths', () => {
  test.each([
    ['elasticsearch', 6, 'native'],
    ['elasticsearch', 7, 'native'],
    ['elasticsearch', 8, 'none'],
    ['opensearch', 1, 'native'],
    ['opensearch', 2, 'none'],
    ['opensearch', 3, 'none'],
    ['opensearch', 7, 'fallback'],
  ] as const)('%s %d: %s', (distribution, major, expected) => {
    expect(mappingTypesOf({ distribution, major })).toBe(expected);
  });

  test('are learnt once the source answers', async () => {
    const told: string[] = [];
    const info = async () =>
      ({ name: '', uuid: '', distribution: 'elasticsearch', version: '7.10.2', major: 7, minor: 10 }) as const;
    await learnDialect({ info }, { onTypes: (types) => told.push(types), signal: new AbortController().signal });
    expect(told).toEqual(['native']);
  });
});

describe('the aliases of both clusters', () => {
  const answering = (status: number, body: string): Transport => ({
    request: async () => ({ status, headers: {}, body: Buffer.from(body) }),
  });
  const away: Transport = { request: () => Promise.reject(new Error('away')) };
  const good = answering(200, '{"i":{"aliases":{}}}');

  test.each([
    ['both answer', good, good, false, true],
    ['the target is away, which may hold the marker', good, away, false, false],
    ['the source is away', away, good, false, false],
    ['the source forbids it', answering(403, '{}'), good, false, false],
    ['the answer is no JSON', answering(200, 'oops'), good, false, false],
    ['both sides are one cluster and it answers', good, away, true, true],
  ])('%s', async (_, source, target, sameCluster, told) => {
    expect((await readAliases({ source, target }, sameCluster)) !== undefined).toBe(told);
  });

  test('are the same object when both sides are one cluster', async () => {
    const answers = await readAliases({ source: good, target: good }, true);
    expect(answers?.target).toBe(answers?.source);
  });
});

const report = (severity: 'none' | 'S4', family: ShadowReport['family'] = 'search'): ShadowReport => ({
  slug: 'products',
  subject: evidenceSubject(routeState(), true),
  family,
  shape: { fingerprint: 'abc', label: 'match' },
  atMs: Date.now(),
  authority: 'source',
  observation: {
    severity,
    differences: [
      { severity: 'S4', kind: 'missing_hit', path: ['hits', { key: 'planted-id' }], authority: '"planted-value"' },
    ],
    counts: { S4: 1 },
  },
  baseline: undefined,
  settled: false,
  authorityMs: 1,
  otherMs: 2,
  request: {
    method: 'POST',
    path: '/products/_search',
    query: '',
    body: Buffer.from('{"query":{"match":{"name":"planted-value"}}}'),
  },
  answers: { source: { status: 200, body: Buffer.from('{}') }, target: { status: 200, body: Buffer.from('{}') } },
  repeat: async () => ({ skipped: 'stopped' }),
});

describe('the evidence of this process', () => {
  const compared = (severity: 'none' | 'S0', slug = 'products'): ShadowReport => ({
    ...report('none'),
    slug,
    observation: { severity, differences: [], counts: {} },
  });

  const evidenceOf = (state: () => RouteState, now = Date.now) =>
    createEvidence({ member: 'a', boot: 'b', isFilled: () => true, state, now });

  test('says hold while there is none, and rollback when the other side keeps failing', () => {
    let nowMs = Date.now();
    const evidence = evidenceOf(
      () => routeState(),
      () => nowMs,
    );
    expect(evidence.judgement('products').verdict).toBe('hold');
    for (let i = 0; i < 500; i += 1) evidence.note(compared('S0'));
    nowMs += 1000;
    expect(evidence.judgement('products')).toMatchObject({ verdict: 'rollback', compared: 500 });
    expect(evidence.judgement('orders').verdict).toBe('hold');
  });

  test.each([
    ['the share of reads', routeState({ percent: { read: 50 } })],
    ['the phase', routeState({ phase: 'target' })],
    ['the brake', routeState({ stop: true })],
    ['the spec', { ...routeState(), specRevision: 9 }],
  ])('begins again when %s changes', (_, next) => {
    let state = routeState();
    const evidence = evidenceOf(() => state);
    for (let i = 0; i < 500; i += 1) evidence.note(compared('S0'));
    state = next;
    expect(evidence.judgement('products')).toMatchObject({ verdict: 'hold', compared: 0 });
  });

  test('is told as empty in a new step, so that what was seen at this share before does not stand for it again', () => {
    let state = routeState({ percent: { read: 50 } });
    const evidence = evidenceOf(() => state);
    const told = () => JSON.parse(evidence.record('products') ?? '{}');
    expect(told()).toEqual({});
    evidence.note({ ...compared('S0'), subject: evidenceSubject(state, true) });
    expect(told().windows).toHaveLength(1);
    state = routeState();
    expect(told()).toMatchObject({ subject: evidenceSubject(state, true), windows: [], shapes: {} });
  });

  test('tells how many samples found no place', () => {
    const evidence = evidenceOf(() => routeState());
    evidence.note(compared('S0'));
    evidence.noteUnasked('products');
    expect(JSON.parse(evidence.record('products') ?? '{}').windows).toMatchObject([{ c: { n: 1, q: 1 } }]);
  });

  test('tells how many samples say nothing, and of which shape', () => {
    const evidence = evidenceOf(() => routeState());
    const sample = compared('none');
    evidence.note(sample);
    evidence.noteUnstable(sample);
    evidence.noteUnstable({ ...sample, subject: 'of an earlier step' });
    const { windows, shapes } = JSON.parse(evidence.record('products') ?? '{}');
    expect([windows[0].c, Object.values(shapes)]).toMatchObject([{ n: 1, u: 1 }, [{ c: { n: 1, u: 1 } }]]);
  });

  test.each([
    ['the spec', { ...routeState(), specRevision: 9 }, true],
    ['the phase', routeState({ phase: 'target' }), true],
    ['the share of reads', routeState({ percent: { read: 50 } }), true],
    ['how far the backfill is', routeState(), false],
  ])('leaves out what was drawn before %s changed, also when it settles late', (_, next, filled) => {
    let [state, isFilled] = [routeState(), true];
    const evidence = createEvidence({
      member: 'a',
      boot: 'b',
      isFilled: () => isFilled,
      state: () => state,
      now: Date.now,
    });
    const drawnBefore = compared('S0');
    [state, isFilled] = [next, filled];
    evidence.note(drawnBefore);
    expect(evidence.judgement('products').compared).toBe(0);
    evidence.note({ ...drawnBefore, subject: evidenceSubject(next, filled) });
    expect(evidence.record('products')).toContain('"n":1');
  });

  test('leaves out what was discarded', () => {
    const evidence = evidenceOf(() => routeState());
    evidence.note({
      ...compared('S0'),
      observation: { severity: 'S0', differences: [], counts: {}, discard: 'unstable' },
    });
    expect(evidence.judgement('products').compared).toBe(0);
  });
});
