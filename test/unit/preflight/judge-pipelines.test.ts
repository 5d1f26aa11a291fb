import { describe, expect, it } from 'vitest';
import type { PairFacts, PreflightFacts } from '../../../src/agent/preflight/facts.ts';
import { defaultPipelines, pipelineFindings } from '../../../src/agent/preflight/judge-pipelines.ts';
import type { PipelineKind } from '../../../src/agent/preflight/pipeline-kind.ts';
import type { Side } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';

type Settings = Record<string, unknown>;
type Given = {
  source: Settings;
  /** Undefined: it is to be created. */
  target?: Settings;
  overrides?: Settings;
  sourceKnows?: Settings;
  targetKnows?: Settings;
};
const factsOf = ({ source, target, overrides, sourceKnows, targetKnows }: Given) => {
  const spec = RouteSpec.parse({
    route: 'p',
    indices: [{ source: 'p1', target: 'p2' }],
    createTarget: target === undefined,
    targetSettings: overrides,
  });
  const index = (settings: Settings | undefined) => settings && { settings, mappings: {} };
  const pair = { source: index(source), target: index(target) } as unknown as PairFacts;
  const known = (kind: PipelineKind, all: Settings = {}) =>
    new Map(Object.entries(all).filter(([id]) => id.startsWith('search') === (kind === 'search')));
  const on = (all: Settings | undefined) => ({ ingest: known('ingest', all), search: known('search', all) });
  const pipelines = { source: on(sourceKnows), target: on(targetKnows) };
  return { facts: { spec, pipelines } as unknown as PreflightFacts, pair };
};
const told = (given: Given): string[] => {
  const { facts, pair } = factsOf(given);
  return pipelineFindings(facts, 0, pair)
    .filter(({ reason }) => !reason.includes('read back'))
    .map(({ level, about, reason, todo }) => `${level} ${about}: ${reason}${todo === undefined ? '' : `; ${todo}`}`);
};

const byDefault = (id: string): Settings => ({ 'index.default_pipeline': id });
const forSearches = (id: string): Settings => ({ 'index.search.default_pipeline': id });
const finally_ = (id: string | null): Settings => ({ 'index.final_pipeline': id });
const sets = (value: number) => ({ processors: [{ set: { field: 'x', value } }] });
const final = 'make it the default pipeline, or remove it, until the migration is over';
const missing = (id: string) =>
  `refuse p2: the default pipeline ${id} does not exist on the target: after the cutover each write would be refused; create it there, or set default_pipeline of p2 to _none`;

describe('pipelines of a pair', () => {
  it.each<[string, Given, string[]]>([
    ['none', { source: {}, target: {} }, []],
    ['none, said so', { source: { ...byDefault('_none'), ...finally_(null) }, target: finally_('_none') }, []],
    [
      'a final one on the source, whose target is there',
      { source: finally_('f'), target: {} },
      [`refuse p1: has the final pipeline f: after the cutover it would change every copy; ${final}`],
    ],
    [
      'a final one on the target',
      { source: {}, target: finally_('f') },
      [`refuse p2: has the final pipeline f: it would change every copy; ${final}`],
    ],
    [
      'a final one that the target would be created with',
      { source: {}, overrides: { index: { final_pipeline: 'f' } } },
      [`refuse p2: has the final pipeline f: it would change every copy; ${final}`],
    ],
    [
      'a default one that the target lacks',
      { source: {}, target: byDefault('p'), targetKnows: { p: undefined } },
      [missing('p')],
    ],
    [
      'a default one that a target to be created takes over, and lacks',
      { source: byDefault('p'), sourceKnows: { p: sets(1) }, targetKnows: { p: undefined } },
      [missing('p')],
    ],
    [
      'another default one that the target is to be created with, and lacks',
      { source: byDefault('p'), overrides: { default_pipeline: 'q' }, targetKnows: { q: undefined } },
      [missing('q')],
    ],
    [
      'the same on both sides, with keys in another order',
      {
        source: byDefault('p'),
        sourceKnows: { p: { processors: [{ set: { field: 'x', value: 1 } }] } },
        targetKnows: { p: { processors: [{ set: { value: 1, field: 'x' } }] } },
      },
      ['ok p2: p is the same on both sides'],
    ],
    [
      'contents that differ',
      {
        source: byDefault('p'),
        target: byDefault('q'),
        sourceKnows: { p: sets(1) },
        targetKnows: { q: sets(2) },
      },
      ['warn p2: p on the source and q here differ; make sure that each difference is meant'],
    ],
    [
      'a default one on the source only',
      { source: byDefault('p'), target: {}, sourceKnows: { p: sets(1) } },
      [
        'warn p2: has no default pipeline, the source has p: documents written after the cutover are stored as sent; give the target such a pipeline too, or make sure that this is meant',
      ],
    ],
    [
      'a default one on the target only',
      { source: {}, target: byDefault('p'), targetKnows: { p: sets(1) } },
      ['warn p2: documents written after the cutover go through p; make sure that this is meant'],
    ],
    [
      'one for searches that a target to be created takes over, and lacks',
      { source: forSearches('search-p'), sourceKnows: { 'search-p': {} }, targetKnows: { 'search-p': undefined } },
      [
        'refuse p2: the default search pipeline search-p does not exist on the target: after the cutover each search would be refused; create it there, or set search.default_pipeline of p2 to _none',
      ],
    ],
    [
      'one for searches on the source only',
      { source: forSearches('search-p'), target: {}, sourceKnows: { 'search-p': {} } },
      [
        'warn p2: has no default search pipeline, the source has search-p: searches that the target answers go through none; give the target such a pipeline too, or make sure that this is meant',
      ],
    ],
    [
      'one for searches on the target only',
      { source: {}, target: forSearches('search-p'), targetKnows: { 'search-p': {} } },
      ['warn p2: searches that the target answers go through search-p; make sure that this is meant'],
    ],
    [
      'the same for searches on both sides',
      {
        source: forSearches('search-p'),
        target: forSearches('search-p'),
        sourceKnows: { 'search-p': {} },
        targetKnows: { 'search-p': {} },
      },
      ['ok p2: search-p is the same on both sides'],
    ],
    ['a default one that nobody may look for, which the missing right tells', { source: byDefault('p') }, []],
  ])('are told: %s', (_, given, expected) => {
    expect(told(given)).toEqual(expected);
  });

  it('are looked for where an index has one by default, or will have it', () => {
    const { facts, pair } = factsOf({ source: byDefault('p') });
    const ids = (...[side, kind = 'ingest']: [Side, PipelineKind?]) =>
      defaultPipelines(facts.spec, [pair, pair], { side, kind });
    expect([ids('source'), ids('target'), ids('source', 'search')]).toEqual([['p'], ['p'], []]);
    const other = factsOf({ source: byDefault('p'), target: byDefault('_none') });
    expect(defaultPipelines(other.facts.spec, [other.pair], { side: 'target', kind: 'ingest' })).toEqual([]);
  });
});
