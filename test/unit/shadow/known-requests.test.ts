import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KnownRequests } from '../../../src/proxy/shadow/known-requests.ts';
import { queryShape } from '../../../src/compare/shape.ts';
import { skipReason } from '../../../src/compare/skip.ts';
import { comparableApis } from '../../../src/compare/types.ts';

const body = fc.oneof(
  fc.constantFrom(
    '{"query":{"match":{"a":"x"}}}',
    '{"query":{"match":{"b":"x"}}}',
    '{"query":{"function_score":{"random_score":{}}}}',
    '{"timeout":"1s"}',
    'no JSON',
    '',
  ),
  fc.json({ maxDepth: 2 }),
);
const request = fc.record({
  method: fc.constant('POST'),
  path: fc.constantFrom('/a/_search', '/b/_search', '/a'),
  query: fc.constantFrom('', 'size=3', 'scroll=1m', 'q=now'),
  body: fc.option(
    body.map((text) => Buffer.from(text)),
    { nil: undefined },
  ),
});

it('knows of each request, new or repeated, what its words say', () => {
  const asked = fc.array(fc.tuple(fc.constantFrom(...comparableApis), request), { maxLength: 30 });
  fc.assert(
    fc.property(asked, (list) => {
      const known = new KnownRequests(4);
      for (const [api, one] of list)
        expect(known.factsOf(api, one)).toEqual({ skip: skipReason(api, one), shape: queryShape(api, one) });
    }),
  );
});

it('finds a repeated request again, and lets the one go that was not asked for the longest', () => {
  const known = new KnownRequests(2);
  const of = (text: string) =>
    known.factsOf('search', { method: 'POST', path: '/a/_search', query: '', body: Buffer.from(text) });
  const first = of('{"size":1}');
  expect(of('{"size":1}')).toBe(first);
  of('{"size":2}');
  of('{"size":3}');
  expect(of('{"size":1}')).not.toBe(first);
});

it('does not keep long requests', () => {
  const known = new KnownRequests();
  const body = Buffer.from(JSON.stringify({ query: { match: { a: 'x'.repeat(5000) } } }));
  const one = { method: 'POST', path: '/a/_search', query: '', body };
  expect(known.factsOf('search', one)).not.toBe(known.factsOf('search', one));
});
