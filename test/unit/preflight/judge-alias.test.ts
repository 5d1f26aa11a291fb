import { describe, expect, it } from 'vitest';
import type { AliasBody } from '../../../src/agent/control-answers.ts';
import type { AliasHolders, Finding, PreflightFacts } from '../../../src/agent/preflight/facts.ts';
import { aliasFindings } from '../../../src/agent/preflight/judge-alias.ts';
import { createRouteTable, writeIndexOf } from '../../../src/proxy/route-table.ts';
import { routeState } from '../../support/routes.ts';

const indices = [
  { source: 'a', target: 'a2' },
  { source: 'b', target: 'b2' },
];
const stateWith = (alias: object) => routeState({ phase: 'observe', indices, aliases: [{ name: 'both', ...alias }] });
const judged = (alias: object, holders: AliasHolders | undefined): Finding[] => {
  const { spec } = stateWith(alias);
  const aliases = holders && new Map([['both', holders]]);
  return aliasFindings({ spec, pairs: [], aliases } as unknown as PreflightFacts);
};
const told = (alias: object, holders: AliasHolders): string[] =>
  judged(alias, holders).map(({ level, about, reason, todo }) => `${level} ${about}: ${reason}; ${todo}`);

/** What a cluster says of an alias: reads go to all that carry it, writes to one of them or to none. */
const clusterWrites = (holders: AliasHolders): string | undefined => {
  const said = Object.keys(holders).filter((name) => holders[name]?.is_write_index === true);
  const unsaid = Object.keys(holders).filter((name) => holders[name]?.is_write_index === undefined);
  return said[0] ?? (Object.keys(holders).length === 1 ? unsaid[0] : undefined);
};
const routeLeads = (alias: object) => {
  const found =
    createRouteTable(new Map([['products', stateWith(alias)]]), { sameCluster: false }).lookup('both') ?? [];
  const write = writeIndexOf('both', found);
  return {
    reads: found.map(({ ordinal }) => indices[ordinal]?.source),
    writes: write && indices[write.ordinal]?.source,
  };
};

const ways = [undefined, {}, { is_write_index: true }, { is_write_index: false }];
const everyHolders = ways.flatMap((a) =>
  ways.flatMap((b) =>
    ways.map((stranger): AliasHolders => ({ ...(a && { a }), ...(b && { b }), ...(stranger && { stranger }) })),
  ),
);
/** A cluster refuses a second one. */
const possible = everyHolders.filter(
  (holders) => Object.values(holders).filter((body) => body.is_write_index === true).length < 2,
);

describe('an alias that the route lists', () => {
  for (const alias of [
    {},
    { writeIndex: 'a' },
    { writeIndex: 'b' },
    { indices: ['b'] },
    { indices: ['a'], writeIndex: 'a' },
    { indices: ['a'], writeIndex: 'b' },
  ])
    it(`passes only where it leads as on the cluster: ${JSON.stringify(alias)}`, () => {
      const { reads, writes } = routeLeads(alias);
      for (const holders of possible) {
        const isAlike = String(Object.keys(holders)) === String(reads) && clusterWrites(holders) === writes;
        const ok = judged(alias, holders).every(({ level }) => level === 'ok');
        expect([holders, ok]).toEqual([holders, isAlike]);
      }
    });

  it('is refused with a routing that the route does not name, or two that differ', () => {
    const [one, two] = [{ index_routing: '2', search_routing: '2' }, '1,2'];
    const rows: [routing: string | undefined, body: AliasBody, ok: boolean][] = [
      [undefined, {}, true],
      ['2', one, true],
      [undefined, one, false],
      ['1', one, false],
      ['2', {}, false],
      ['2', { index_routing: '2', search_routing: two }, false],
      ['2', { index_routing: '2' }, false],
      ['2', { search_routing: '2' }, false],
      [undefined, { search_routing: '2' }, false],
    ];
    const passes = (routing: string | undefined, body: AliasBody) =>
      judged({ indices: ['a'], routing }, { a: body }).every(({ level }) => level === 'ok');
    expect(rows.map(([routing, body]) => [routing, body, passes(routing, body)])).toEqual(rows);
  });

  it('is refused with a filter, on whichever index', () => {
    expect(told({ writeIndex: 'a' }, { a: { is_write_index: true }, b: { filter: { term: {} } } })).toEqual([
      'refuse both: has a filter; reads through it cannot be moved faithfully: use a plain alias',
    ]);
  });

  it.each<[string, object, AliasHolders, string[]]>([
    ['on no index', {}, {}, ['is no alias on the source; put it on a, b, or take it out of the route']],
    [
      'on an index that the route does not know',
      { writeIndex: 'a' },
      { a: {}, b: {}, stranger: { is_write_index: true } },
      [
        "stands on stranger too and takes writes there, where the route does not lead through it; take it off stranger, or add stranger to the route's and the alias's indices",
      ],
    ],
    [
      'on fewer than the route says',
      {},
      { a: {} },
      [
        'does not stand on b, where the route leads through it; put it there, or list under indices of the alias only those that it stands on',
      ],
    ],
    [
      'with a write index that the route does not name',
      {},
      { a: { is_write_index: true }, b: {} },
      ['takes writes on a, and the route would refuse them; set writeIndex: a on the alias'],
    ],
    [
      'with another write index',
      { writeIndex: 'b' },
      { a: { is_write_index: true }, b: {} },
      ['takes writes on a, and through the route they would go to b; set writeIndex: a on the alias'],
    ],
    [
      'without the write index of the route',
      { writeIndex: 'b' },
      { a: {}, b: {} },
      [
        'takes no writes, and through the route they would go to b; make b its write index, or declare no writeIndex in the route',
      ],
    ],
    [
      'said not to take writes',
      { indices: ['a'] },
      { a: { is_write_index: false } },
      ['takes no writes, and through the route they would go to a; make a its write index'],
    ],
  ])('tells what is wrong and what to do when it is one %s', (_, alias, holders, expected) => {
    expect(told(alias, holders)).toEqual(expected.map((text) => `refuse both: ${text}`));
  });

  it('is not judged where nobody could look', () => {
    expect(judged({}, undefined)).toEqual([]);
  });
});
