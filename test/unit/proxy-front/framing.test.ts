import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../src/errors.ts';
import { frame } from '../../../src/proxy/framing.ts';
import { scanRequestHeaders } from '../../../src/proxy/headers.ts';

const host = ['Host', 'a'];
const judge = (raw: string[], method = 'POST', major = 1, minor = 1) =>
  frame(method, { major, minor }, scanRequestHeaders(raw));

describe('a request is refused', () => {
  it.each<[string, string[], string, number, number, string]>([
    [
      'with length and chunks',
      [...host, 'Content-Length', '3', 'Transfer-Encoding', 'chunked'],
      'POST',
      1,
      1,
      'BAD_FRAMING',
    ],
    [
      'with two lengths, even equal ones',
      [...host, 'Content-Length', '3', 'content-length', '3'],
      'POST',
      1,
      1,
      'BAD_FRAMING',
    ],
    ['with a length that is no number', [...host, 'Content-Length', '3a'], 'POST', 1, 1, 'BAD_FRAMING'],
    ['with a signed length', [...host, 'Content-Length', '+3'], 'POST', 1, 1, 'BAD_FRAMING'],
    ['with a list of lengths', [...host, 'Content-Length', '3, 3'], 'POST', 1, 1, 'BAD_FRAMING'],
    ['with an empty length', [...host, 'Content-Length', ''], 'POST', 1, 1, 'BAD_FRAMING'],
    [
      'with a length beyond exact numbers',
      [...host, 'Content-Length', '9999999999999999'],
      'POST',
      1,
      1,
      'BAD_FRAMING',
    ],
    ['with two codings', [...host, 'Transfer-Encoding', 'gzip, chunked'], 'POST', 1, 1, 'BAD_FRAMING'],
    [
      'with two coding headers',
      [...host, 'Transfer-Encoding', 'identity', 'Transfer-Encoding', 'chunked'],
      'POST',
      1,
      1,
      'BAD_FRAMING',
    ],
    ['with xchunked', [...host, 'Transfer-Encoding', 'xchunked'], 'POST', 1, 1, 'BAD_FRAMING'],
    ['with quoted chunked', [...host, 'Transfer-Encoding', '"chunked"'], 'POST', 1, 1, 'BAD_FRAMING'],
    ['with a weighed chunked', [...host, 'Transfer-Encoding', 'chunked;q=1'], 'POST', 1, 1, 'BAD_FRAMING'],
    ['with an empty coding', [...host, 'Transfer-Encoding', ''], 'POST', 1, 1, 'BAD_FRAMING'],
    ['with chunks in HTTP/1.0', ['Transfer-Encoding', 'chunked'], 'POST', 1, 0, 'BAD_FRAMING'],
    ['without Host in HTTP/1.1', [], 'GET', 1, 1, 'BAD_FRAMING'],
    ['with two Hosts', ['Host', 'a', 'host', 'a'], 'GET', 1, 1, 'BAD_FRAMING'],
    ['as HTTP/0.9', host, 'GET', 0, 9, 'BAD_FRAMING'],
    ['as HTTP/2.0', host, 'GET', 2, 0, 'BAD_FRAMING'],
    ['with an unknown expectation', [...host, 'Expect', 'magic'], 'POST', 1, 1, 'EXPECTATION_FAILED'],
    [
      'with an expectation that only contains the known one',
      [...host, 'Expect', '100-continue;x'],
      'POST',
      1,
      1,
      'EXPECTATION_FAILED',
    ],
    [
      'with two expectations',
      [...host, 'Expect', '100-continue', 'Expect', '100-continue'],
      'POST',
      1,
      1,
      'EXPECTATION_FAILED',
    ],
    ['with a method that OpenSearch has not', host, 'PURGE', 1, 1, 'UNSUPPORTED'],
  ])('%s', (_, raw, method, major, minor, code) => {
    const verdict = judge(raw, method, major, minor);
    expect(verdict).toBeInstanceOf(CrossfadeError);
    expect(verdict).toMatchObject({ code, notSent: true });
  });
});

describe('a request is framed', () => {
  it.each<[string, string[], number, { bodyLength: number | undefined; expectsContinue: boolean }]>([
    ['without a body', host, 1, { bodyLength: 0, expectsContinue: false }],
    ['by its length', [...host, 'Content-Length', '003'], 1, { bodyLength: 3, expectsContinue: false }],
    [
      'by chunks, in any case',
      [...host, 'Transfer-Encoding', 'CHUNKED'],
      1,
      { bodyLength: undefined, expectsContinue: false },
    ],
    [
      'after 100 Continue',
      [...host, 'Content-Length', '3', 'Expect', '100-Continue'],
      1,
      { bodyLength: 3, expectsContinue: true },
    ],
    [
      'without 100 Continue in HTTP/1.0',
      ['Content-Length', '3', 'Expect', '100-continue'],
      0,
      { bodyLength: 3, expectsContinue: false },
    ],
    ['without Host in HTTP/1.0', [], 0, { bodyLength: 0, expectsContinue: false }],
  ])('%s', (_, raw, minor, framing) => {
    expect(judge(raw, 'POST', 1, minor)).toEqual(framing);
  });
});
