import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { curlCommand } from '../../../src/compare/curl.ts';
import { diffRows } from '../../../src/compare/diff-view.ts';
import { anyCharacter } from '../../support/any-character.ts';

const options = { maxRows: 100, maxChars: 40, onlyDifferent: true };

describe('side by side', () => {
  const hit = (id: string, n: number) => ({ _id: id, _source: { n } });

  it('aligns hits by id and buckets by key', () => {
    const [a, b] = [{ hits: [hit('1', 1), hit('2', 2), hit('3', 3)] }, { hits: [hit('2', 2), hit('3', 4)] }];
    expect(diffRows(a, b, options)).toEqual([
      { path: 'hits.1._id', authority: '"1"', same: false },
      { path: 'hits.1._source.n', authority: '1', same: false },
      { path: 'hits.3._source.n', authority: '3', other: '4', same: false },
    ]);
    const buckets = (...keys: (string | number)[]) => ({ buckets: keys.map((key) => ({ key, doc_count: 1 })) });
    expect(diffRows(buckets('x', 'y'), buckets('y'), options).map(({ path }) => path)).toEqual([
      'buckets.x.key',
      'buckets.x.doc_count',
    ]);
  });

  it('aligns other lists by position, and shows a change of kind whole', () => {
    expect(diffRows({ a: [1, 2] }, { a: [1, 3, 4] }, options)).toEqual([
      { path: 'a.1', authority: '2', other: '3', same: false },
      { path: 'a.2', other: '4', same: false },
    ]);
    expect(diffRows({ a: { b: 1 } }, { a: 'text' }, options)).toEqual([
      { path: 'a', authority: '{"b":1}', other: '"text"', same: false },
    ]);
    expect(diffRows({ a: {} }, { a: { b: 1 } }, options)).toEqual([
      { path: 'a', authority: '{}', other: '{"b":1}', same: false },
    ]);
  });

  it('can show what is equal too, and is bounded', () => {
    const [a, b] = [
      { x: 1, y: 2 },
      { x: 1, y: 3 },
    ];
    expect(diffRows(a, b, { ...options, onlyDifferent: false })).toHaveLength(2);
    expect(diffRows(a, b, { ...options, onlyDifferent: false, maxRows: 1 })).toEqual([
      { path: 'x', authority: '1', other: '1', same: true },
    ]);
    expect(diffRows('a'.repeat(100), 'b', options)[0]!.authority).toHaveLength(40);
  });

  it('shows no row for equal values', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(diffRows(value as never, structuredClone(value) as never, options)).toEqual([]);
      }),
    );
  });
});

describe('copy as curl', () => {
  const base = { url: 'http://127.0.0.1:9200/', method: 'POST', path: '/shop/_search', query: 'size=1' };

  it('is one line that asks for the same', () => {
    expect(curlCommand({ ...base, body: '{"a":1}' })).toBe(
      `curl -sS --globoff -X POST 'http://127.0.0.1:9200/shop/_search?size=1' -H 'content-type: application/json' --data-raw '{"a":1}'`,
    );
    expect(curlCommand({ ...base, method: 'GET', query: '' })).toBe(
      `curl -sS --globoff -X GET 'http://127.0.0.1:9200/shop/_search'`,
    );
    expect(curlCommand({ ...base, method: 'HEAD' })).toContain('--head');
    expect(curlCommand({ ...base, path: '/_msearch', body: '{}\n{}\n' })).toContain('application/x-ndjson');
  });

  it('hands any body to a POSIX shell unchanged', () => {
    const text = fc
      .string({ unit: anyCharacter, maxLength: 30 })
      .map((value) => `@$x'"\`\n${value.replaceAll('\0', '')}`);
    const saying = (body: string) => curlCommand({ ...base, body }).replace(/^curl/, "printf '%s\\0'");
    // One shell for many bodies: to start one costs more than all that is looked at.
    fc.assert(
      fc.property(fc.array(text, { minLength: 20, maxLength: 20 }), (bodies) => {
        const commands = bodies.map((body) => `${saying(body)}; printf '\\0'`).join('\n');
        const told = execFileSync('sh', ['-c', commands], { encoding: 'utf8' }).split('\0\0').slice(0, -1);
        expect(told.map((words) => words.split('\0').at(-1))).toEqual(
          bodies.map((body) => Buffer.from(body).toString('utf8')),
        );
      }),
      { numRuns: 2 },
    );
  });
});
