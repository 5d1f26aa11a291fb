import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitLines, withoutCarriageReturn } from '../../../src/proxy/write/ndjson.ts';

const bytes = fc
  .uint8Array({ maxLength: 200 })
  .map((values) => values.map((value) => (value % 5 === 0 ? 0x0a : value)));

describe('splitting NDJSON', () => {
  it('gives lines that make up the body again, byte for byte', () => {
    fc.assert(
      fc.property(bytes, (body) => {
        const { lines, rest } = splitLines(body);
        const parts = lines.flatMap(({ start, end }) => [Buffer.from(body.subarray(start, end)), Buffer.from('\n')]);
        const whole = Buffer.concat([...parts, Buffer.from(body.subarray(rest.start, rest.end))]);
        expect(whole.equals(Buffer.from(body))).toBe(true);
      }),
    );
  });

  it('does not depend on how the body arrived in chunks', () => {
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(200)), (body, cuts) => {
        const edges = [0, ...cuts.filter((cut) => cut < body.length), body.length].sort((a, b) => a - b);
        const chunks = edges.slice(1).map((end, i) => Buffer.from(body.subarray(edges[i], end)));
        expect(splitLines(Buffer.concat(chunks))).toEqual(splitLines(body));
      }),
    );
  });

  it('has no line feed inside a line', () => {
    fc.assert(
      fc.property(bytes, (body) => {
        for (const { start, end } of splitLines(body).lines)
          expect(body.subarray(start, end).includes(0x0a)).toBe(false);
      }),
    );
  });

  it.each([
    ['a\r', 'a'],
    ['a\r\r', 'a\r'],
    ['a', 'a'],
    ['\r', ''],
    ['', ''],
  ])('takes at most one carriage return off %j', (line, expected) => {
    const body = Buffer.from(line);
    const { start, end } = withoutCarriageReturn(body, { start: 0, end: body.length });
    expect(body.toString('utf8', start, end)).toBe(expected);
  });
});
