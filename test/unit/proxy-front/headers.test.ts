import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scanAnswerHeaders, scanRequestHeaders } from '../../../src/proxy/headers.ts';

const endToEnd = fc.constantFrom('Accept', 'X-Opaque-Id', 'content-type', 'Authorization', 'Warning', 'x-a', 'X-A');
const ownHop = fc.constantFrom(
  ...['Connection', 'Keep-Alive', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'HTTP2-Settings'],
  ...['Proxy-Authorization', 'Proxy-Connection', 'Proxy-Authenticate', 'Alt-Svc'],
);
const pair = (name: fc.Arbitrary<string>) => fc.tuple(name, fc.constantFrom('1', 'b', 'keep-alive', 'chunked'));
const lists = fc.array(fc.oneof(pair(endToEnd), pair(ownHop)), { maxLength: 15 });
const isHop = (name: string): boolean =>
  /^(connection|keep-alive|te|trailer|transfer-encoding|upgrade|http2-settings|proxy-.*|alt-svc)$/i.test(name);

describe('headers of a request', () => {
  it('pass in their order and number, without those of the hop', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const kept = list.filter(([name]) => !isHop(name));
        expect(scanRequestHeaders(list.flat()).headers).toEqual(
          // `Connection: 1` and the like name headers that nobody sent.
          kept.flat(),
        );
      }),
    );
  });

  it('named by Connection stay behind, whichever case and wherever they stand', () => {
    const { headers } = scanRequestHeaders(['X-One', '1', 'Connection', 'x-one, X-TWO', 'x-two', '2', 'x-three', '3']);
    expect(headers).toEqual(['x-three', '3']);
  });

  it('that frame the message are told apart from those that pass', () => {
    const raw = ['Host', 'a', 'Content-Length', '1', 'content-length', '2', 'Transfer-Encoding', 'chunked'];
    const scan = scanRequestHeaders([...raw, 'Expect', '100-continue', 'Upgrade', 'h2c', 'X', 'y']);
    expect(scan).toEqual({
      headers: ['X', 'y'],
      hosts: ['a'],
      lengths: ['1', '2'],
      codings: ['chunked'],
      expectations: ['100-continue'],
      upgrade: true,
    });
  });
});

describe('headers of an answer', () => {
  it('pass in their order and number, without those of the hop', () => {
    fc.assert(
      fc.property(lists, (list) => {
        expect(scanAnswerHeaders(list.flat()).headers).toEqual(list.filter(([name]) => !isHop(name)).flat());
      }),
    );
  });

  it('keep the length, unless the end is marked by chunks', () => {
    expect(scanAnswerHeaders(['Content-Length', '12'])).toEqual({ headers: ['Content-Length', '12'], length: 12 });
    const both = ['Content-Length', '12', 'transfer-encoding', 'chunked', 'x', '1'];
    expect(scanAnswerHeaders(both)).toEqual({ headers: ['x', '1'], length: undefined });
  });

  it('named by Connection stay behind, the length included', () => {
    const raw = ['Connection', 'x-hop, content-length', 'X-Hop', '1', 'content-length', '3', 'x', '1'];
    expect(scanAnswerHeaders(raw)).toEqual({ headers: ['x', '1'], length: undefined });
  });
});
