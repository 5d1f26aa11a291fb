/**
 * Damaged requests by the hundred: whatever is sent, the cluster sees nothing but requests that a reader by the letter of
 * the standard sees too, the client gets well-formed answers, and the listener goes on.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type Front, rawConnection, type Stub, sendRaw, startFront, stubCluster } from '../../support/front.ts';
import { type StrictRequest, strictRequests } from '../../support/strict-http.ts';

let stub: Stub;
let front: Front;
beforeAll(async () => {
  stub = await stubCluster();
  front = await startFront(stub.url, { limits: { maxHeaderBytes: 8192 } });
});
afterAll(async () => {
  await front.close();
  await stub.close();
});

const inner = 'GET /inner HTTP/1.1\r\nHost: x\r\n\r\n';
const mostly = (good: readonly string[], bad: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...bad) });
const headers = mostly(
  [
    'X-A: b',
    'X-Opaque-Id: 1',
    'Connection: keep-alive',
    'TE: trailers',
    'Upgrade: h2c',
    'Accept: */*',
    'Connection: x-a',
  ],
  [
    ...['Connection: close', 'Connection: Upgrade', 'Content-Length: 5', 'Content-Length: 33', 'Content-Length: 0'],
    ...['Transfer-Encoding: chunked', 'Transfer-Encoding: xchunked', 'Transfer-Encoding : chunked', 'Host: evil'],
    ...[' Transfer-Encoding: chunked', 'Expect: 100-continue', 'Content-Length: 0005', 'X: \x00', 'X\x80: 1', ': x'],
  ],
);
const bodies = fc.constantFrom(
  ...['', 'abcde', inner, `0\r\n\r\n${inner}`, `5\r\nabcde\r\n0\r\n\r\n`, `5;x\r\nabcde\r\n0\r\nA: b\r\n\r\n`],
  ...['0 0\r\n\r\n', '5\nabcde\r\n0\r\n\r\n', `21\r\n${inner}\r\n0\r\n\r\n`, '5\r\nabcdefg\r\n0\r\n\r\n'],
);
const framedBodies = bodies.map((body) => ({ body, head: `Content-Length: ${body.length}` }));
const codings = mostly(['chunked', 'gzip, chunked'], ['CHUNKED', 'identity', 'chunked;q=1', ' chunked']);
const chunkedBodies = fc
  .tuple(
    fc.constantFrom('', 'abcde', inner),
    codings,
    fc.constantFrom('', ';x', ' ', ';x="y"'),
    fc.constantFrom('', 'A: b\r\n'),
  )
  .map(([text, coding, extension, trailer]) => ({
    body: `${text === '' ? '' : `${text.length.toString(16)}${extension}\r\n${text}\r\n`}0\r\n${trailer}\r\n`,
    head: `Transfer-Encoding: ${coding}`,
  }));
const plain = fc.tuple(
  mostly(['GET', 'POST', 'DELETE', 'HEAD', 'PUT'], ['PURGE', 'OPTIONS', 'CONNECT']),
  mostly(['/a', '/b?c=d', '/x%2Fy'], ['*', 'http://evil/', '/a b', '']),
  mostly(['HTTP/1.1'], ['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0']),
  fc.array(headers, { maxLength: 4 }),
  fc.oneof(
    framedBodies,
    chunkedBodies,
    bodies.map((body) => ({ body, head: 'X-Free: 1' })),
  ),
);
const request = plain.map(
  ([method, target, version, list, { body, head }]) =>
    `${method} ${target} ${version}\r\nHost: a\r\n${[head, ...list].map((line) => `${line}\r\n`).join('')}\r\n${body}`,
);
type Damage = { at: number; kind: 'insert' | 'delete' | 'replace'; text: string };
const someDamages = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    kind: fc.constantFrom<Damage['kind']>('insert', 'delete', 'replace'),
    text: fc.constantFrom('\r', '\n', '\r\n', ' ', '\t', '\0', ':', '0', 'f', ';', '\x7f', '\xff', '"', ',', '\v', '-'),
  }),
  { maxLength: 3 },
);
const damages = fc.oneof(fc.constant([]), someDamages);
const damaged = (text: string, { at, kind, text: piece }: Damage): string => {
  const i = Math.floor(at * text.length);
  return text.slice(0, i) + (kind === 'delete' ? '' : piece) + text.slice(kind === 'insert' ? i : i + 1);
};
const conversations = fc
  .tuple(fc.array(request, { minLength: 1, maxLength: 3 }), damages)
  .map(([requests, list]) => list.reduce(damaged, requests.join('')));

const ending = 'GET /ending HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Sends in pieces; a request that still waits for its body is given up after a moment. */
const converse = async (bytes: string, cuts: readonly number[]): Promise<string> => {
  const client = await rawConnection(front.port);
  const whole = Buffer.from(bytes + ending, 'latin1');
  let from = 0;
  for (const cut of [...cuts.map((part) => Math.floor(part * whole.length)).sort((a, b) => a - b), whole.length]) {
    client.socket.write(whole.subarray(from, cut));
    await new Promise(setImmediate);
    from = cut;
  }
  const patience = setTimeout(() => client.socket.destroy(), 25);
  const text = await client.closed;
  clearTimeout(patience);
  return text;
};

const keyOf = ({ method, target, body }: StrictRequest): string => JSON.stringify([method, target, body]);

describe('whatever bytes are sent', () => {
  it('the cluster sees only what the standard allows to be seen, and the listener goes on', async () => {
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(conversations, cuts, async (bytes, parts) => {
        stub.seen.length = 0;
        const text = await converse(bytes, parts);
        await eventually(() => front.listener.connections === 0);
        const allowed = strictRequests(bytes + ending).map(keyOf);
        for (const { method, url, body } of stub.seen) {
          const key = keyOf({ method, target: url, body: body.toString('latin1') });
          const at = allowed.indexOf(key);
          expect(at, `${key} reached the cluster`).toBeGreaterThanOrEqual(0);
          allowed.splice(at, 1);
        }
        const statuses = text.match(/HTTP\/1\.1 \d\d\d /g) ?? [];
        expect(statuses.length).toBeLessThanOrEqual(strictRequests(bytes + ending).length * 2 + 1);
        if (text !== '') expect(text).toMatch(/^HTTP\/1\.1 (100|200|400|417|431) /);
        expect(await sendRaw(front.port, ending)).toMatch(/^HTTP\/1\.1 200 .*\{\}$/s);
      }),
      { numRuns: 200 },
    );
    expect(front.events.every(({ errorCode }) => errorCode !== 'INTERNAL')).toBe(true);
  });

  it('pure noise is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (noise) => {
        stub.seen.length = 0;
        const text = await converse(Buffer.from(noise).toString('latin1'), []);
        expect(stub.seen.length).toBeLessThanOrEqual(
          strictRequests(Buffer.from(noise).toString('latin1') + ending).length,
        );
        if (text !== '') expect(text).toMatch(/^HTTP\/1\.1 (200|400|431) /);
      }),
      { numRuns: 100 },
    );
    await eventually(() => front.listener.connections === 0);
  });
});
