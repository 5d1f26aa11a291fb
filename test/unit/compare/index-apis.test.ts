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
