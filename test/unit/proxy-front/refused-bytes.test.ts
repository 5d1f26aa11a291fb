/** Bytes that could be read in two ways, sent as they are: none may reach the cluster, none may end the process. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Front, type Stub, sendRaw, startFront, stubCluster } from '../../support/front.ts';

let stub: Stub;
let front: Front;
beforeAll(async () => {
  stub = await stubCluster();
  front = await startFront(stub.url, { limits: { maxHeaderBytes: 4096 } });
});
afterAll(async () => {
  await front.close();
  await stub.close();
});
beforeEach(() => {
  stub.seen.length = 0;
  front.events.length = 0;
});

const H = 'Host: a\r\n';
const post = (headers: string, body: string): string => `POST /x HTTP/1.1\r\n${H}${headers}\r\n${body}`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);

const refused: Record<string, string> = {
  'length and chunks': post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  'chunks and length': post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'),
  'two lengths': post('Content-Length: 3\r\nContent-Length: 4\r\n', 'abcd'),
  'the same length twice': post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc'),
  'a list of lengths': post('Content-Length: 3, 3\r\n', 'abc'),
  'a signed length': post('Content-Length: +3\r\n', 'abc'),
  'a negative length': post('Content-Length: -3\r\n', 'abc'),
  'a hexadecimal length': post('Content-Length: 0x3\r\n', 'abc'),
  'an empty length': post('Content-Length:\r\n', ''),
  'a length beyond all numbers': post('Content-Length: 99999999999999999999\r\n', 'abc'),
  xchunked: post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
  'quoted chunked': post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n'),
  'weighed chunked': post('Transfer-Encoding: chunked;q=1\r\n', '0\r\n\r\n'),
  'gzip, chunked': post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
  'chunked, and nothing': post('Transfer-Encoding: chunked,\r\n', '0\r\n\r\n'),
  'identity coding': post('Transfer-Encoding: identity\r\n', ''),
  'identity, then chunked in a second header': post(
    'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n',
    '0\r\n\r\n',
  ),
  'chunked twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  'an empty coding': post('Transfer-Encoding:\r\n', ''),
  'a coding behind a vertical tab': post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'),
  'chunks in HTTP/1.0': `POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'a blank before the colon': `POST /x HTTP/1.1\r\n${H}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
  'a blank before the colon of any header': `GET /x HTTP/1.1\r\n${H}X : a\r\n\r\n`,
  'a folded header': `GET /x HTTP/1.1\r\n${H}X: a\r\n b\r\n\r\n`,
  'a header folded by a tab': `GET /x HTTP/1.1\r\n${H}X: a\r\n\tb\r\n\r\n`,
  'a folded first header': `GET /x HTTP/1.1\r\n X: a\r\n${H}\r\n`,
  'a bare line feed after the request line': `GET /x HTTP/1.1\n${H}\r\n`,
  'a bare line feed after a header': `GET /x HTTP/1.1\r\nHost: a\n\r\n`,
  'a bare line feed between headers': `GET /x HTTP/1.1\r\n${H}X: a\nY: b\r\n\r\n`,
  'a bare line feed at the end of the head': `GET /x HTTP/1.1\r\n${H}\n`,
  'a bare carriage return in a header': `GET /x HTTP/1.1\r\n${H}X: a\rY: b\r\n\r\n`,
  'a NUL in a header': `GET /x HTTP/1.1\r\n${H}X: a\0b\r\n\r\n`,
  'a control character in a header': `GET /x HTTP/1.1\r\n${H}X: a\x01b\r\n\r\n`,
  'a header without a name': `GET /x HTTP/1.1\r\n${H}: a\r\n\r\n`,
  'a header without a colon': `GET /x HTTP/1.1\r\n${H}abc\r\n\r\n`,
  'a name that is no token': `GET /x HTTP/1.1\r\n${H}X(a): b\r\n\r\n`,
  'two Hosts': `GET /x HTTP/1.1\r\n${H}Host: b\r\n\r\n`,
  'no Host': 'GET /x HTTP/1.1\r\n\r\n',
  'HTTP/1.2': `GET /x HTTP/1.2\r\n${H}\r\n`,
  'HTTP/2.0': `GET /x HTTP/2.0\r\n${H}\r\n`,
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'HTTP/0.9': 'GET /x\r\n\r\n',
  'a protocol in small letters': `GET /x http/1.1\r\n${H}\r\n`,
  'a method nobody knows': `FOO /x HTTP/1.1\r\n${H}\r\n`,
  'a method in small letters': `get /x HTTP/1.1\r\n${H}\r\n`,
  'a blank in the path': `GET /a b HTTP/1.1\r\n${H}\r\n`,
  'a tab as separator': `GET\t/x\tHTTP/1.1\r\n${H}\r\n`,
  'no path': `GET  HTTP/1.1\r\n${H}\r\n`,
  'a path without slash': `GET x HTTP/1.1\r\n${H}\r\n`,
  'an authority': `GET evil:80 HTTP/1.1\r\n${H}\r\n`,
  CONNECT: `CONNECT evil:80 HTTP/1.1\r\n${H}\r\n`,
  'text that is no HTTP': 'hello, is anybody there?\r\n\r\n',
  'a TLS greeting': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
};
const refusedInBody: Record<string, string> = {
  'a chunk size `0 0`': chunked('0 0\r\n\r\n'),
  'a blank after a chunk size': chunked('3 \r\nabc\r\n0\r\n\r\n'),
  'a blank before a chunk size': chunked(' 3\r\nabc\r\n0\r\n\r\n'),
  'a chunk size 0x3': chunked('0x3\r\nabc\r\n0\r\n\r\n'),
  'a chunk size +3': chunked('+3\r\nabc\r\n0\r\n\r\n'),
  'a chunk size -1': chunked('-1\r\nabc\r\n0\r\n\r\n'),
  'a chunk size beyond all numbers': chunked('fffffffffffffffff\r\nabc\r\n0\r\n\r\n'),
  'a bare line feed after a chunk size': chunked('3\nabc\r\n0\r\n\r\n'),
  'a bare line feed after a chunk': chunked('3\r\nabc\n0\r\n\r\n'),
  'a bare carriage return after a chunk size': chunked('3\rXabc\r\n0\r\n\r\n'),
  'a line feed in a chunk extension': chunked('3;\nabc\r\n0\r\n\r\n'),
  'a line break in a quoted chunk extension': chunked('3;a="\r\n\r\n"\r\nabc\r\n0\r\n\r\n'),
  'a chunk that is longer than it says': chunked('3\r\nabcd\r\n0\r\n\r\n'),
  'a length among the trailers': chunked('3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n'),
};

describe('a request is refused with 400, and nothing reaches the cluster, for', () => {
  it.each(Object.entries({ ...refused, ...refusedInBody }))('%s', async (_, bytes) => {
    const smuggled = `GET /smuggled HTTP/1.1\r\n${H}\r\n`;
    const answer = await sendRaw(front.port, bytes + smuggled);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer.match(/HTTP\/1\.1 \d\d\d/g)).toHaveLength(1);
    expect(answer).toMatch(/x-crossfade-error: (BAD_FRAMING|BAD_TARGET|UNSUPPORTED)/);
    expect(answer).toMatch(/connection: close/i);
    expect(stub.seen).toEqual([]);
    expect(front.events).toHaveLength(1);
    expect(front.events[0]).toMatchObject({ status: 400, outcome: 'refused', side: 'none' });
  });
});
