import { describe, expect, it } from 'vitest';
import { isSourceRead } from '../../../src/compare/request.ts';
import { compared, comparing, json, lines } from './support.ts';

describe('an answer of a version that knows mapping types', () => {
  const vectors = (more: object, term = 'shoe') => ({
    ...{ _index: 'shop', _id: '1', found: true, ...more },
    term_vectors: { title: { terms: { [term]: { term_freq: 1 } } } },
  });

  it('equals one without them: term vectors', () => {
    const [old, young] = [vectors({ _type: '_doc' }), vectors({})];
    expect(compared(old, young, { api: 'termvectors' }).severity).toBe('none');
    expect(compared({ docs: [old] }, { docs: [young] }, { api: 'mtermvectors' }).severity).toBe('none');
    expect(compared(old, vectors({}, 'hat'), { api: 'termvectors' }).severity).toBe('S7');
  });

  it('equals one without them: capabilities of fields', () => {
    const of = (...fields: string[]) => ({
      indices: ['shop'],
      fields: Object.fromEntries(fields.map((name) => [name, { keyword: { type: 'keyword' } }])),
    });
    expect(compared(of('sku', '_type'), of('sku'), { api: 'field_caps' }).severity).toBe('none');
    expect(lines(compared(of('sku', 'type'), of('sku'), { api: 'field_caps' }))).toEqual([
      'S7 missing_field fields.type',
    ]);
  });

  it('is the bare document under a path with a type, too', () => {
    const [a, b] = [json({ n: 1, _seq_no: 1 }), json({ n: 1, _seq_no: 2 })];
    expect(lines(comparing(a, b, { api: 'get', path: '/shop/item/1/_source' }))).toEqual(['S7 value _source._seq_no']);
  });

  it.each([
    ['/shop/_source/1', true],
    ['/shop/item/1/_source', true],
    ['/shop/_doc/1/_source', true],
    ['/shop/_doc/1', false],
    ['/shop/_doc/_source', false],
    ['/shop/item/_source', false],
  ])('%s reads a bare document: %s', (path, expected) => {
    expect(isSourceRead({ path })).toBe(expected);
  });
});

describe('term vectors', () => {
  const of = (terms: object, sum = 1) => ({
    found: true,
    term_vectors: { title: { field_statistics: { sum_doc_freq: sum }, terms } },
  });

  it('leave statistics of a shard out', () => {
    const [a, b] = [of({ hat: { term_freq: 1, doc_freq: 1, ttf: 1 } }), of({ hat: { term_freq: 1, doc_freq: 9 } }, 9)];
    expect(compared(a, b, { api: 'termvectors' }).severity).toBe('none');
  });

  it.each(['score', 'ttf', 'doc_freq', 'took', '_type', 'field_statistics'])(
    'hold a term that is called %s',
    (term) => {
      const [a, b] = [of({ [term]: { term_freq: 1 } }), of({ [term]: { term_freq: 2 } })];
      expect(lines(compared(a, b, { api: 'termvectors' }))).toEqual([
        `S7 value term_vectors.title.terms.${term}.term_freq`,
      ]);
      expect(compared(a, of({}), { api: 'termvectors' }).severity).toBe('S7');
    },
  );
});

it('ratings are compared query by query, since their mean may hide that they differ', () => {
  const of = (first: number, second: number) => ({
    metric_score: (first + second) / 2,
    details: { first: { metric_score: first }, second: { metric_score: second } },
  });
  expect(lines(compared(of(0.8, 0.2), of(0.2, 0.8), { api: 'rank_eval' }))).toEqual([
    'S5 metric details.first.metric_score',
    'S5 metric details.second.metric_score',
  ]);
  expect(compared(of(0.8, 0.2), of(0.8, 0.2), { api: 'rank_eval' }).severity).toBe('none');
  expect(compared(of(0.5, 0.4), of(0.4, 0.5), { api: 'rank_eval' }).severity).toBe('S8');
});
