import { describe, expect, it } from 'vitest';
import { bySort, compared, comparing, type Given, type Hit, lines, page, scored, sorted } from './support.ts';

type Row = [
  what: string,
  authority: ReturnType<typeof page>,
  other: ReturnType<typeof page>,
  expected: string[],
  given?: Given,
];

const size = (n: number, more: object = {}) => ({ body: { ...bySort, size: n, ...more } });
const relevance = (n: number) => ({ body: { query: { match: { title: 'x' } }, size: n } });
/** Sorted by score, then by something that is not shown. */
const afterScore = (...entries: string[]): Hit[] =>
  scored(...entries).map((hit) => ({ ...hit, sort: [hit.score, `id${hit.id}`] }));
const priced = (id: string, price: number, score: number): Hit => ({ id, score, sort: [price, score] });
const spread = (n: number): Hit[] => scored(...Array.from({ length: n }, (_, i) => `${i}@${100 - 5 * i}`));

describe('which hits must be on a page', () => {
  const rows: Row[] = [
    ['two empty pages agree', page([]), page([]), []],
    [
      'an empty page against one hit',
      page(sorted('1@1')),
      page([]),
      ['S3 total hits.total', 'S4 missing_hit hits.hits.1'],
      size(10),
    ],
    [
      'one hit against an empty page',
      page([]),
      page(sorted('1@1')),
      ['S3 total hits.total', 'S4 extra_hit hits.hits.1'],
      size(10),
    ],
    ['ties in another order', page(sorted('1@5', '2@5', '3@6')), page(sorted('2@5', '1@5', '3@6')), [], size(10)],
    [
      'all tied and cut by the page: any members',
      page(sorted('1@5', '2@5'), { total: 9 }),
      page(sorted('7@5', '8@5'), { total: 9 }),
      [],
      size(2),
    ],
    [
      'all tied but nothing beyond the page: the same members',
      page(sorted('1@5', '2@5')),
      page(sorted('1@5', '3@5')),
      ['S4 missing_hit hits.hits.2', 'S4 extra_hit hits.hits.3'],
      size(2),
    ],
    [
      'the tie cut by the end of the page is open',
      page(sorted('1@1', '2@5'), { total: 9 }),
      page(sorted('1@1', '3@5'), { total: 9 }),
      [],
      size(2),
    ],
    [
      'a hit before that tie is not',
      page(sorted('1@1', '2@5'), { total: 9 }),
      page(sorted('4@1', '2@5'), { total: 9 }),
      ['S4 missing_hit hits.hits.1', 'S4 extra_hit hits.hits.4'],
      size(2),
    ],
    [
      'the tie cut by the start of a later page is open',
      page(sorted('1@5', '2@9'), { total: 30 }),
      page(sorted('3@5', '2@9'), { total: 30 }),
      [],
      size(2, { from: 10 }),
    ],
    [
      'the tie cut by the start of what may be a later page, of a template, is open',
      page(sorted('1@5', '2@9'), { total: 30 }),
      page(sorted('3@5', '2@9'), { total: 30 }),
      [],
      { api: 'template_search' },
    ],
    [
      'a hit before the last of a template is not',
      page(sorted('1@5', '2@7', '4@9'), { total: 30 }),
      page(sorted('1@5', '3@7', '4@9'), { total: 30 }),
      ['S4 missing_hit hits.hits.2', 'S4 extra_hit hits.hits.3'],
      { api: 'template_search' },
    ],
    [
      'a page of a template that holds all hits has no open start',
      page(sorted('1@5', '2@9')),
      page(sorted('3@5', '2@9')),
      ['S4 missing_hit hits.hits.1', 'S4 extra_hit hits.hits.3'],
      { api: 'template_search' },
    ],
    [
      'the best of all hits, by what the answer says, is missed on any page of a template',
      page(scored('1@9', '2@5', '3@4'), { total: 30, maxScore: 9 }),
      page(scored('2@5', '3@4', '4@4'), { total: 30, maxScore: 5 }),
      ['S4 missing_hit hits.hits.1', 'S8 max_score hits.max_score'],
      { api: 'template_search' },
    ],
    [
      'a hit whose score stands within the noise on the other side of search_after is open',
      page(afterScore('1@4.9', '2@3'), { total: 30, maxScore: 9 }),
      page(afterScore('2@3', '4@2.99'), { total: 30, maxScore: 9 }),
      [],
      { body: { sort: ['_score', 'id'], search_after: [4.95, 'x'], size: 2 } },
    ],
    [
      'search_after in fields alone leaves no tie open',
      page(sorted('1@5', '2@9'), { total: 30 }),
      page(sorted('3@5', '2@9'), { total: 30 }),
      ['S4 missing_hit hits.hits.1', 'S4 extra_hit hits.hits.3'],
      size(2, { search_after: [4] }),
    ],
    [
      'a score behind a field is no part of the key of a template',
      page([priced('1', 5, 1.1), priced('2', 5, 1)], { total: 2 }),
      page([priced('2', 5, 1.02), priced('1', 5, 1.01)], { total: 2 }),
      ['S8 score hits.hits.1._score', 'S8 score hits.hits.2._score'],
      { api: 'template_search' },
    ],
    [
      'the start of the first page is not',
      page(sorted('1@5', '2@9'), { total: 30 }),
      page(sorted('3@5', '2@9'), { total: 30 }),
      ['S4 missing_hit hits.hits.1', 'S4 extra_hit hits.hits.3'],
      size(2),
    ],
    [
      'sorted by _doc, order and members are the storage’s own',
      page(sorted('1@1', '2@2'), { total: 9 }),
      page(sorted('8@1', '9@7'), { total: 9 }),
      [],
      { body: { sort: ['_doc'], size: 2 } },
    ],
    [
      'a tie-breaker of the shard is not part of the key',
      page([{ id: '1', sort: [5, 11] }]),
      page([{ id: '1', sort: [5, 99] }]),
      [],
      { body: { sort: ['price', '_shard_doc'] } },
    ],
    ['a single hit', page(sorted('1@1')), page(sorted('1@1')), [], size(10)],
  ];
  it.each(rows)('%s', (_, authority, other, expected, given) => {
    expect(lines(compared(authority, other, given))).toEqual(expected);
  });
});

describe('order', () => {
  it('of different sort values is a mismatch', () => {
    const observation = compared(page(sorted('1@1', '2@2', '3@3')), page(sorted('2@2', '1@1', '3@3')), size(10));
    expect(lines(observation)).toEqual(['S5 order hits.hits']);
    expect(observation.metrics).toMatchObject({ overlap1: 0, overlap3: 1, jaccard: 1 });
  });

  it('at the far end of a long page weighs too little to be more than cosmetic scoring', () => {
    const ids = Array.from({ length: 40 }, (_, i) => `${i}@${i}`);
    const swapped = [...ids.slice(0, 38), ids[39]!, ids[38]!];
    expect(lines(compared(page(sorted(...ids)), page(sorted(...swapped)), size(50)))).toEqual(['S8 order hits.hits']);
  });

  it('by equal scores is free', () => {
    const observation = compared(page(scored('1@2', '2@2', '3@1')), page(scored('2@2', '1@2', '3@1')), relevance(10));
    expect(observation.severity).toBe('none');
  });

  it('by scores within their noise is a difference of scores', () => {
    const other = page([...scored('2@2.02', '1@2'), ...scored('3@1')]);
    expect(compared(page(scored('1@2', '2@1.98', '3@1')), other, relevance(10)).severity).toBe('S8');
  });

  it('by scores beyond their noise is a difference of order', () => {
    expect(compared(page(scored('1@9', '2@4')), page(scored('2@9', '1@4')), relevance(10)).severity).toBe('S5');
  });

  it('by scores is judged more mildly when documents are divided into other shards', () => {
    const [authority, other] = [scored('1@10', '2@9'), scored('2@11', '1@9')];
    expect(compared(page(authority), page(other), relevance(10)).severity).toBe('S5');
    expect(compared(page(authority), page(other, { shards: 5 }), relevance(10)).severity).toBe('S8');
  });

  it('by scores is judged strictly again when the statistics of all shards were asked for', () => {
    const given = { ...relevance(10), query: 'search_type=dfs_query_then_fetch' };
    expect(compared(page(scored('1@10', '2@9')), page(scored('2@11', '1@9'), { shards: 5 }), given).severity).toBe(
      'S5',
    );
  });
});

describe('hits near the cut of a page sorted by score', () => {
  it('may be exchanged when their scores are within the noise', () => {
    const [authority, other] = [spread(10), [...spread(9), ...scored('99@55')]];
    expect(lines(compared(page(authority, { total: 50 }), page(other, { total: 50 }), relevance(10)))).toEqual([]);
    const near = [...spread(9), ...scored('99@56')];
    expect(compared(page(authority, { total: 50 }), page(near, { total: 50 }), relevance(10)).severity).toBe('S8');
  });

  it('must be there when they score well above the cut', () => {
    const other = [...spread(10).slice(1), ...scored('99@50')];
    expect(compared(page(spread(10), { total: 50 }), page(other, { total: 50 }), relevance(10)).severity).toBe('S4');
  });

  it('are compared on one scale: scores that all tripled exchange nothing', () => {
    const tripled = spread(10).map((hit) => ({ ...hit, score: hit.score! * 3 }));
    const observation = compared(
      page(spread(10), { total: 50 }),
      page(tripled, { total: 50, shards: 2 }),
      relevance(10),
    );
    expect(observation.counts).toEqual({ S8: 10 });
  });
});

describe('totals', () => {
  const gte = (value: number) => ({ value, relation: 'gte' });
  it.each([
    ['equal', 5, 5, 'none'],
    ['different', 5, 6, 'S3'],
    ['two lower bounds', gte(10_001), gte(10_400), 'none'],
    ['exact above the bound', 12_000, gte(10_001), 'none'],
    ['exact below the bound', 9_000, gte(10_001), 'S3'],
    ['bound below the exact', gte(10_001), 12_000, 'none'],
    ['bound above the exact', gte(10_001), 9_000, 'S3'],
  ])('%s', (_, a, b, severity) => {
    expect(compared(page([], { total: a }), page([], { total: b })).severity).toBe(severity);
  });

  it('that nobody counted leave the end of a page open', () => {
    const uncounted = (...hits: string[]) => {
      const answer = page(sorted(...hits));
      return { ...answer, hits: { ...answer.hits, total: -1 } };
    };
    const given = { query: 'rest_total_hits_as_int=true', body: { size: 2, track_total_hits: false, ...bySort } };
    expect(lines(compared(uncounted('1@1', '2@5'), uncounted('1@1', '3@5'), given))).toEqual([]);
  });

  it('as plain numbers equal totals as objects', () => {
    const plain = { ...page([]), hits: { total: 0, max_score: null, hits: [] } };
    expect(compared(page([]), plain).severity).toBe('none');
  });

  it('may differ as far as the profile says', () => {
    const [authority, other] = [page([], { total: 1000 }), page([], { total: 1009 })];
    expect(compared(authority, other, { profile: { totals: { relative: 0.01 } } }).severity).toBe('none');
    expect(compared(authority, other, { profile: { totals: { relative: 0.001 } } }).severity).toBe('S3');
  });
});

describe('identity of hits', () => {
  const of = (id: string, source: unknown, more: Record<string, unknown> = {}): Hit => ({ id, score: 1, source, more });

  it('includes the routing: one id under two routings is two documents', () => {
    const twins = [of('1', { n: 1 }, { _routing: 'a' }), of('1', { n: 2 }, { _routing: 'b' })];
    expect(compared(page(twins), page(twins.toReversed())).severity).toBe('none');
  });

  it('includes the index after renaming', () => {
    const there = page([of('1', { n: 1 }, { _index: 'shop-v2' })]);
    expect(
      compared(page([of('1', { n: 1 })]), there, { renameIndex: (name) => name.replace('-v2', '') }).severity,
    ).toBe('none');
    expect(compared(page([of('1', { n: 1 })]), there).severity).toBe('S4');
  });

  it('can be a business key, when ids differ on purpose', () => {
    const [authority, other] = [page([of('a', { sku: 7, n: 1 })]), page([of('b', { sku: 7, n: 1 })])];
    expect(compared(authority, other).severity).toBe('S4');
    expect(compared(authority, other, { profile: { match: { by: 'field', field: 'sku' } } }).severity).toBe('none');
  });

  it('can be the content', () => {
    const [authority, other] = [page([of('a', { x: 1, y: 2 })]), page([of('b', { y: 2, x: 1 })])];
    expect(compared(authority, other, { profile: { match: { by: 'source' } } }).severity).toBe('none');
  });

  it('is the content where filter_path removed the ids', () => {
    const bare = (n: number) => ({ hits: { hits: [{ _source: { n } }] } });
    expect(compared(bare(1), bare(1)).severity).toBe('none');
    expect(compared(bare(1), bare(2)).severity).toBe('S4');
  });

  it('is told apart by occurrence when a key repeats', () => {
    const same = [of('a', { sku: 7 }), of('b', { sku: 7 })];
    const observation = compared(page(same), page(same.slice(0, 1), { total: 2 }), {
      profile: { match: { by: 'field', field: 'sku' } },
    });
    expect(observation.counts).toEqual({ S4: 1 });
  });

  it('is the group under collapse, whose tied representatives may differ', () => {
    const hit = (id: string, price: number): Hit => ({
      id,
      sort: [price],
      source: { id },
      more: { fields: { brand: ['x'] } },
    });
    const given = { body: { collapse: { field: 'brand' }, sort: ['price'] } };
    expect(compared(page([hit('1', 5)]), page([hit('2', 5)]), given).severity).toBe('none');
    expect(compared(page([hit('1', 5)]), page([hit('2', 6)]), given).severity).toBe('S4');
  });
});

describe('pages whose order is not shown', () => {
  /** As `filter_path=hits.hits._source` leaves them. */
  const contents = (from: number, length = 10) => ({
    hits: { hits: Array.from({ length }, (_, i) => ({ _source: { n: from + i } })) },
  });
  it.each([
    ['are equal', 0, 10, 'none'],
    ['may have others where ties may be cut through', 2, 10, 'S8'],
    ['must have most in common', 3, 10, 'S4'],
    ['must not be other pages', 10, 10, 'S4'],
    ['may be others where they are one hit long', 1, 1, 'S8'],
  ])('%s', (_, shift, size, severity) => {
    const [a, b] = [contents(0, size), contents(shift, size)];
    for (const given of [{ body: { size } }, { body: { size, ...bySort } }, { api: 'template_search' as const }]) {
      expect(compared(a, b, given).severity).toBe(severity);
      expect(compared(b, a, given).severity).toBe(severity);
    }
  });

  it('must have the same hits where they are whole', () => {
    expect(compared(contents(0, 9), contents(1, 9), { body: { size: 10 } }).severity).toBe('S4');
  });
});

describe('approximate neighbours', () => {
  const given = { body: { size: 10, query: { knn: { vector: { vector: [1], k: 10 } } } } };
  const neighbours = (from: number) =>
    scored(...Array.from({ length: 10 }, (_, i) => `${from + i}@${1 - (from + i) / 100}`));
  it.each([
    [0, 'none'],
    [1, 'S9'],
    [2, 'S9'],
    [3, 'S4'],
  ])('%i of ten others', (shift, severity) => {
    expect(compared(page(neighbours(0), { total: 50 }), page(neighbours(shift), { total: 70 }), given).severity).toBe(
      severity,
    );
  });

  it.each([
    [1, 1, 'S8'],
    [2, 1, 'S8'],
    [3, 1, 'S8'],
    [3, 2, 'S4'],
    [4, 1, 'S8'],
    [5, 1, 'S9'],
    [5, 2, 'S4'],
  ])('on a page of %i, %i of them another', (size, others, severity) => {
    const [a, b] = [neighbours(0).slice(0, size), neighbours(others).slice(0, size)];
    expect(compared(page(a, { total: 50 }), page(b, { total: 50 }), given).severity).toBe(severity);
    expect(compared(page(b, { total: 50 }), page(a, { total: 50 }), given).severity).toBe(severity);
  });

  it('must not lack on one side', () => {
    expect(compared(page(neighbours(0).slice(0, 1)), page([]), given).severity).toBe('S4');
  });
});

describe('contents', () => {
  const of = (source: unknown) => page([{ id: '1', score: 1, source }]);

  it('do not depend on the order of keys or the spelling of numbers', () => {
    const [a, b] = [
      '{"hits":{"hits":[{"_id":"1","_source":{"a":1,"b":1.50}}]}}',
      '{"hits":{"hits":[{"_source":{"b":15e-1,"a":1.0},"_id":"1"}]}}',
    ];
    expect(compared(JSON.parse(a), JSON.parse(b)).severity).toBe('none');
  });

  it('depend on the order of lists', () => {
    expect(compared(of({ tags: [1, 2] }), of({ tags: [2, 1] })).severity).toBe('S7');
  });

  it('are told apart beyond 2^53', () => {
    const text = (n: string) => Buffer.from(`{"hits":{"hits":[{"_id":"1","_source":{"n":${n}}}]}}`);
    const [a, b] = [
      { status: 200, body: text('9007199254740993') },
      { status: 200, body: text('9007199254740992') },
    ];
    expect(comparing(a, b).severity).toBe('S7');
    expect(comparing(a, a).severity).toBe('none');
  });

  it('named like members of every object are compared like any other', () => {
    expect(compared(of({ constructor: 1 }), of({})).severity).toBe('S7');
    expect(compared(of({}), of({ toString: 'x' })).severity).toBe('S7');
  });
});

describe('pages of ten thousand tied hits', () => {
  it('are equal in whatever order', () => {
    const ids = Array.from({ length: 10_000 }, (_, i) => `${i}@1`);
    const observation = compared(page(scored(...ids)), page(scored(...ids.toReversed())), relevance(10_000));
    expect(observation).toMatchObject({ severity: 'none', metrics: { rbo: 1, overlap1: 1 } });
  });
});
