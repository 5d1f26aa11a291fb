/** The judge of the fault tests, held against histories whose verdict is known: a checker that finds nothing proves nothing. */
import { describe, expect, test } from 'vitest';
import {
  type Change,
  check,
  checkSide,
  type Documents,
  judgeRead,
  type Operation,
  type Outcome,
} from '../../fault/checker.ts';

const put = (value: string | undefined): Change => ({ kind: 'set', id: 'a', value });
const add = (token: string): Change => ({ kind: 'append', id: 'l', token });
const at = (change: Change, [began, ended]: [number, number], outcome: Outcome = 'acknowledged'): Operation => ({
  ...change,
  began,
  ended,
  outcome,
});
const holding = (value: string | undefined): Documents => new Map(value === undefined ? [] : [['a', { value }]]);
const listing = (...tokens: string[]): Documents => new Map([['l', { tokens }]]);

const first = at(put('v1'), [0, 1]);

const table: [string, Operation[], Documents, string[]][] = [
  ['an acknowledged write is there', [first], holding('v1'), []],
  ['an acknowledged write is lost', [first], holding(undefined), ['a: an acknowledged write is lost: expected v1']],
  ['a later write has replaced it', [first, at(put('v2'), [2, 3])], holding('v2'), []],
  ['an overwritten value is back', [first, at(put('v2'), [2, 3])], holding('v1'), ['a: overwritten, and v1 is back']],
  ['of two concurrent writes the first may win', [at(put('v1'), [0, 3]), at(put('v2'), [1, 2])], holding('v1'), []],
  ['of two concurrent writes the second may win', [at(put('v1'), [0, 3]), at(put('v2'), [1, 2])], holding('v2'), []],
  ['a deleted document is gone', [first, at(put(undefined), [2, 3])], holding(undefined), []],
  [
    'a deleted document returns',
    [first, at(put(undefined), [2, 3])],
    holding('v1'),
    ['a: deleted, and v1 has returned'],
  ],
  [
    'a failed write is visible',
    [first, at(put('v2'), [2, 3], 'failed')],
    holding('v2'),
    ['a: the failed write v2 is visible'],
  ],
  ['a write of unknown outcome may be there', [first, at(put('v2'), [2, 0], 'unknown')], holding('v2'), []],
  ['a write of unknown outcome may be absent', [first, at(put('v2'), [2, 0], 'unknown')], holding('v1'), []],
  ['it may take effect late', [at(put('v0'), [0, 0], 'unknown'), at(put('v1'), [2, 3])], holding('v0'), []],
  ['no write at all was acknowledged', [at(put('v0'), [0, 0], 'unknown')], holding(undefined), []],
  ['a value that nobody wrote', [first], holding('v9'), ['a: v9 was written by nobody']],
  [
    'a document that nobody wrote',
    [first],
    new Map([
      ['a', { value: 'v1' }],
      ['b', { value: 'v2' }],
    ]),
    ['b: nobody wrote this document'],
  ],
  ['an update was applied once', [at(add('t'), [0, 1])], listing('t'), []],
  ['an update was applied twice', [at(add('t'), [0, 1])], listing('t', 't'), ['l: the update t was applied 2 times']],
  [
    'even an unknown update was applied twice',
    [at(add('t'), [0, 0], 'unknown')],
    listing('t', 't'),
    ['l: the update t was applied 2 times'],
  ],
  ['an acknowledged update is lost', [at(add('t'), [0, 1])], listing(), ['l: the acknowledged update t is lost']],
  ['an unknown update may be absent', [at(add('t'), [0, 0], 'unknown')], listing(), []],
  ['a failed update is visible', [at(add('t'), [0, 1], 'failed')], listing('t'), ['l: the failed update t is visible']],
  ['an update that nobody made', [at(add('t'), [0, 1])], listing('t', 'x'), ['l: the update x was made by nobody']],
];

describe('the judge of fault tests', () => {
  test.each(table)('%s', (_title, operations, documents, problems) => {
    expect(checkSide(operations, documents)).toEqual(problems);
  });

  test('names the side that is wrong, and what differs between the sides', () => {
    const operations = [first, at(put('v2'), [2, 3])];
    expect(check({ operations, source: holding('v2'), target: holding('v1') })).toEqual([
      'target a: overwritten, and v1 is back',
      'a: the sides differ',
    ]);
  });

  test('is content with two equal sides that hold what was acknowledged', () => {
    expect(check({ operations: [first], source: holding('v1'), target: holding('v1') })).toEqual([]);
  });
});

const second = at(put('v2'), [4, 5]);
const reading = (value: string | undefined, [began, ended]: [number, number]) => ({ id: 'a', began, ended, value });
const reads: [string, Operation[], ReturnType<typeof reading>, newest: string | undefined, any: string | undefined][] =
  [
    ['the newest value', [first, second], reading('v2', [6, 7]), undefined, undefined],
    ['a value that was newest then', [first, second], reading('v1', [2, 3]), undefined, undefined],
    [
      'a value that is just being replaced',
      [first, at(put('v2'), [2, 5])],
      reading('v1', [3, 4]),
      undefined,
      undefined,
    ],
    ['one that is just being written', [first, at(put('v2'), [2, 5])], reading('v2', [3, 4]), undefined, undefined],
    ['one that was replaced', [first, second], reading('v1', [6, 7]), 'overwritten, and v1 is back', undefined],
    [
      'one that was written later',
      [first, second],
      reading('v2', [2, 3]),
      'v2 was written by nobody',
      'v2 was written by nobody',
    ],
    [
      'one that surely failed',
      [first, at(put('v2'), [2, 3], 'failed')],
      reading('v2', [4, 5]),
      'the failed write v2 is visible',
      'the failed write v2 is visible',
    ],
    [
      'one that nobody knows of',
      [first, at(put('v2'), [2, 0], 'unknown')],
      reading('v2', [4, 5]),
      undefined,
      undefined,
    ],
    [
      'nothing though it was written before',
      [first],
      reading(undefined, [2, 3]),
      'an acknowledged write is lost: expected v1',
      'an acknowledged write is lost: expected v1',
    ],
    ['nothing before it was written', [second], reading(undefined, [2, 3]), undefined, undefined],
    [
      'nothing where it was deleted and written again',
      [first, at(put(undefined), [2, 3]), second],
      reading(undefined, [6, 7]),
      'an acknowledged write is lost: expected v2',
      undefined,
    ],
  ];
test.each(reads)('who reads %s is believed by the rules of its side', (_title, operations, read, newest, any) => {
  const other = { ...at(put('v9'), [0, 1]), id: 'b' };
  expect(judgeRead([other, ...operations], read, true)).toBe(newest);
  expect(judgeRead([other, ...operations], read, false)).toBe(any);
});
