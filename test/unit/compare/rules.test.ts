import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { defaultProfile, Profile } from '../../../src/compare/profile.ts';
import { pathText, rulesFrom } from '../../../src/compare/rules.ts';
import type { PathSegment } from '../../../src/compare/types.ts';
import { compared, page } from './support.ts';

const hitField: PathSegment[] = ['hits', 'hits', { key: 'p.7' }, '_source', 'audit', 'at'];

describe('path patterns', () => {
  it.each([
    ['_source.audit.at', true],
    ['_source.audit', true],
    ['_source.*.at', true],
    ['_source.audit.by', false],
    ['_source.aud', false],
    ['audit', false],
    ['**.audit', true],
    ['**.at', true],
    ['hits.**', true],
    ['hits.hits.**._source.audit', true],
    ['aggregations.**', false],
    ['_source.a*.at', true],
    ['**', true],
    ['hits.hits.p.7._source', true],
    ['hits.hits.*.7._source', true],
    ['hits.hits.p*._source', true],
    ['hits.hits.*._source.audit', true],
    ['hits.hits.7._source', false],
    ['hits.hits.*', true],
    ['hits.*._source', false],
  ])('%s', (pattern, matches) => {
    expect(rulesFrom({ ignore: [pattern] }).at(hitField).length).toBe(matches ? 1 : 0);
  });

  const dotted: PathSegment[] = ['docs', { key: '1' }, 'fields', 'audit.at', 0];
  it.each([
    ['aggregations.per_day.buckets.*.doc_count', '2024-01-01T00:00:00.000Z', true],
    ['aggregations.per_day.buckets.2024*.doc_count', '2024-01-01T00:00:00.000Z', true],
    ['aggregations.per_day.buckets.2025*.doc_count', '2024-01-01T00:00:00.000Z', false],
    ['aggregations.*.buckets.*.doc_count', '10.0-20.0', true],
    ['aggregations.*.buckets.10.0-20.0.doc_count', '10.0-20.0', true],
    ['aggregations.*.buckets.*.*.doc_count', 'www.shop.example', false],
    ['**.doc_count', 'www.shop.example', true],
    ['aggregations.*.doc_count', '1.5', false],
  ])('take a key with dots for one segment: %s, %s', (pattern, key, matches) => {
    const path = ['aggregations', 'per_day', 'buckets', { key }, 'doc_count'];
    expect(rulesFrom({ ignore: [pattern] }).at(path).length).toBe(matches ? 1 : 0);
  });

  it.each(['fields.audit', 'fields.audit.at', 'fields.*.at', 'fields.a*.at', 'fields.*', 'fields.audit.at.0'])(
    'may say the parts of a name with dots: %s',
    (pattern) => expect(rulesFrom({ ignore: [pattern] }).at(dotted).length).toBe(1),
  );

  it('of a document mean it wherever it stands', () => {
    const rules = rulesFrom({ ignore: ['_source.price'] });
    for (const before of [
      [],
      ['docs', { key: '1' }],
      ['hits', 'hits', { key: '1' }, 'inner_hits', 'x', 'hits', 'hits', { key: '2' }],
    ])
      expect(rules.at([...before, '_source', 'price'])).toMatchObject([{ kind: 'ignore' }]);
  });

  it('take every character but * literally', () => {
    expect(rulesFrom({ ignore: ['_source.a+b(c)'] }).at(['_source', 'a+b(c)']).length).toBe(1);
    expect(rulesFrom({ ignore: ['_source.a+b'] }).at(['_source', 'aab']).length).toBe(0);
  });
});

describe('a profile', () => {
  const of = (source: object) => page([{ id: '1', score: 1, source }]);
  const severity = (a: object, b: object, profile: unknown) => compared(of(a), of(b), { profile }).severity;

  it.each<[string, unknown, string]>([
    ['nothing said', {}, 'S7'],
    ['ignored', { ignore: ['_source.n'] }, 'none'],
    ['soft', { soft: ['_source.n'] }, 'S9'],
    ['raised', { severity: [{ path: '_source.n', severity: 'S3' }] }, 'S3'],
    ['tolerated', { tolerance: [{ path: '_source.n', absolute: 2 }] }, 'none'],
    ['not tolerated', { tolerance: [{ path: '_source.n', absolute: 0.5 }] }, 'S7'],
    [
      'ignored before it is raised',
      { ignore: ['_source.n'], severity: [{ path: '_source.n', severity: 'S3' }] },
      'none',
    ],
  ])('%s', (_, profile, expected) => {
    expect(severity({ n: 10 }, { n: 11 }, profile)).toBe(expected);
  });

  it('has defaults for everything', () => {
    expect(rulesFrom(undefined).profile).toEqual(defaultProfile);
    expect(Profile.parse({ scores: { band: 0.2 } }).scores).toEqual({ ...defaultProfile.scores, band: 0.2 });
  });

  it.each<[string, unknown, string]>([
    ['an unknown field', { ignored: [] }, 'ignored'],
    ['an empty pattern', { ignore: [''] }, 'ignore'],
    ['a pattern with an empty segment', { soft: ['a..b'] }, 'soft'],
    ['an unknown severity', { severity: [{ path: 'a', severity: 'S10' }] }, 'severity'],
    ['a negative tolerance', { tolerance: [{ path: 'a', relative: -1 }] }, 'tolerance'],
    ['a match without its field', { match: { by: 'field' } }, 'match'],
  ])('refuses %s and names it', (_, profile, field) => {
    const parsed = Profile.safeParse(profile);
    expect(parsed.success).toBe(false);
    expect(z.prettifyError(parsed.error!)).toContain(field);
  });
});

describe('a route with a transform', () => {
  const source: PathSegment[] = ['hits', 'hits', { key: '1' }, '_source', 'price'];
  const fields: PathSegment[] = ['docs', { key: '1' }, 'fields', 'price', 0];
  const ignored = (profile: unknown) => {
    const { at } = rulesFrom(profile, { transformed: true });
    return [source, fields, ['hits', 'total']].map((path) => at(path).length > 0);
  };

  it.each<[string, unknown, boolean[]]>([
    ['leaves contents out', undefined, [true, true, false]],
    ['leaves contents out beside other rules', { totals: { absolute: 3 } }, [true, true, false]],
    ['compares what the operator does not ignore', { ignore: ['_source.name'] }, [false, false, false]],
    ['compares all where the operator ignores nothing', { ignore: [] }, [false, false, false]],
  ])('%s', (_, profile, expected) => expect(ignored(profile)).toEqual(expected));
});

it('a path reads as people write it', () => {
  expect(pathText(hitField)).toBe('hits.hits.p.7._source.audit.at');
});
