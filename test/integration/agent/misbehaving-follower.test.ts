import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createClusterControl } from '../../../src/agent/cluster.ts';
import { createCopier } from '../../../src/agent/copier.ts';
import { systemRuntime } from '../../../src/agent/runtime.ts';
import { createTransforms } from '../../../src/agent/transform.ts';
import type { Copy } from '../../../src/coordination/ports.ts';
import { eventually } from '../../support/eventually.ts';
import { testTransport } from '../../support/transport.ts';
import { routeState } from '../../unit/agent/route.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const applied = JSON.stringify({ errors: false, items: [{ index: { status: 201 } }] });
const copy: Copy = {
  slug: 'products',
  ordinal: 0,
  id: 'a',
  routing: undefined,
  epoch: 1,
  reign: 1,
  stamp: 5n,
  op: 'index',
  source: Buffer.from('{}'),
};
const state = routeState({}, { copies: { requestTimeoutMs: 100 } });

const copierFor = (url: string) => {
  const control = createClusterControl(testTransport(url));
  return createCopier({
    clusters: { source: control, target: control },
    runtime: systemRuntime,
    transforms: createTransforms(),
  });
};

describe('a follower that misbehaves on the wire', () => {
  it.each<[string, RequestListener]>([
    ['never answers', () => undefined],
    ['answers half and hangs', (_request, response) => response.write('{"errors":fal')],
    ['closes the connection', (request) => request.socket.destroy()],
    [
      'closes in the middle of the answer',
      (request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{', () => request.socket.destroy());
      },
    ],
    ['answers 429', (_request, response) => response.writeHead(429).end('{}')],
    ['answers 503 from a gateway', (_request, response) => response.writeHead(503).end('<html>')],
    ['answers rubbish with 200', (_request, response) => response.writeHead(200).end('OK')],
    ['refuses the credentials', (_request, response) => response.writeHead(401).end('Unauthorized')],
  ])('and %s gets the copy again once it behaves', async (_what, misbehave) => {
    let requests = 0;
    const url = await serve((request, response) => {
      request.resume();
      if (++requests <= 2) misbehave(request, response);
      else request.on('end', () => response.writeHead(200).end(applied));
    });
    const copier = copierFor(url);
    expect(await copier.offer(copy, state)).toBe('applied');
    expect(requests).toBe(3);
    expect(copier.report('products')).toMatchObject({ pendingCopies: 0, pendingBytes: 0, ledger: [1] });
  });

  it('and is down holds the copy, says why, and gets it when it comes up', async () => {
    const url = await serve(() => undefined);
    const [server] = servers.splice(0);
    const port = Number(new URL(url).port);
    await new Promise((resolve) => server?.close(resolve));
    const copier = copierFor(url);
    const offer = copier.offer(copy, state);
    await eventually(() => copier.problems('products').length > 0);
    const again = createServer((request, response) => {
      request.resume();
      request.on('end', () => response.end(applied));
    });
    servers.push(again);
    await new Promise<void>((resolve) => again.listen(port, '127.0.0.1', resolve));
    expect(await offer).toBe('applied');
  });

  it('and hangs for good costs no more memory than the budget, while every offer comes back at once', async () => {
    const copier = copierFor(await serve(() => undefined));
    const tight = routeState({}, { copies: { maxPendingBytes: 100_000, requestTimeoutMs: 30_000 } });
    const source = Buffer.from(`{"x":"${'y'.repeat(1000)}"}`);
    const offers = Array.from({ length: 1000 }, (_, i) =>
      copier.offer({ ...copy, id: `${i}`, stamp: BigInt(i + 1), op: 'index', source }, tight),
    );
    const { pendingBytes, pendingCopies, dropped } = copier.report('products');
    expect(pendingBytes).toBeLessThanOrEqual(100_000);
    expect(pendingCopies + dropped).toBe(1000);
    copier.close();
    expect(new Set(await Promise.all(offers))).toEqual(new Set(['left_to_tail']));
  });
});
