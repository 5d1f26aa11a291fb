import { describe, expect, it } from 'vitest';
import { Deadlines } from '../../../src/upstream/deadlines.ts';
import { Exchange, type UpstreamUrl } from '../../../src/upstream/exchange.ts';
import { Origins } from '../../../src/upstream/origins.ts';
import type { Asker } from '../../../src/upstream/wire/asker.ts';
import type { Pool } from '../../../src/upstream/wire/pool.ts';
import { WireError } from '../../../src/upstream/wire/wire-error.ts';

const carrier = { served: 1, resume: () => undefined, abandon: () => undefined };

/** The first connection turns out to be dead once the request was written to it; what becomes of the second is for the test. */
const staleThen = (sendAnew: (asker: Asker) => void): Pool =>
  ({
    send: (asker: Asker) => {
      asker.onSent(carrier);
      asker.onCut(new WireError('cut', 'other side closed'));
    },
    sendAnew,
    cancel: () => undefined,
  }) as unknown as Pool;

const codeOf = (pool: Pool): Promise<string> =>
  new Promise((resolve) => {
    const url: UpstreamUrl = { name: 'the source cluster', pool, prefix: '', fixedLines: '' };
    const context = {
      urls: [url],
      origins: new Origins(1),
      now: () => 0,
      deadlines: new Deadlines(60_000),
      onReachable: () => undefined,
    };
    const sink = {
      onHead: () => undefined,
      onData: () => true,
      onEnd: () => resolve('answered'),
      onError: ({ code }: { code: string }) => resolve(code),
    };
    const request = { method: 'GET', path: '/', headers: [], body: null, safeToRepeat: true, timeoutMs: 20 };
    new Exchange(context, request, sink).begin('/', [], null);
  });

describe('a request that was sent once and cannot be sent again', () => {
  it.each<[string, string, (asker: Asker) => void]>([
    ['because no connection can be made', 'UPSTREAM_RESET', (asker) => asker.onUnsent(new Error('ECONNREFUSED'))],
    [
      'because the member is stopping',
      'UPSTREAM_RESET',
      (asker) => asker.onUnsent(new WireError('closed', 'no more requests are taken')),
    ],
    ['because no connection is made in time', 'UPSTREAM_TIMEOUT', () => undefined],
  ])('is never said not to have been sent: %s', async (_, code, sendAnew) => {
    expect(await codeOf(staleThen(sendAnew))).toBe(code);
  });
});
