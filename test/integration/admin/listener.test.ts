/** The admin listener over real sockets: token, TLS and client certificates. */
import { noDiscrepancies } from '../../../src/admin/discrepancies-api.ts';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { type AdminServer, createAdminServer } from '../../../src/admin/server.ts';
import { AdminConfig } from '../../../src/config.ts';
import { readFleet } from '../../../src/fleet/read-fleet.ts';
import { silentLogger } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const fixture = (name: string): string => join(import.meta.dirname, '../../fixtures/tls', name);
let server: AdminServer;
afterEach(() => server.close());

const open = async (config: object, token?: () => string): Promise<{ host: string; port: number }> => {
  const store = new MemoryStore();
  server = createAdminServer({
    config: AdminConfig.parse({ listen: '127.0.0.1:0', ...config }),
    token,
    registry: new Registry(),
    health: () => ({ lifecycle: 'serving', unknownAuthority: [] }),
    logger: silentLogger(),
    api: {
      store,
      member: 'm1',
      version: '0.0.0',
      boot: 'boot-1',
      fleet: () => readFleet(store),
      discrepancies: noDiscrepancies,
      self: () => ({}),
      changed: () => undefined,
      now: Date.now,
      sleep: async () => undefined,
      newId: () => 'id',
    },
  });
  return server.listen();
};

describe('over plain HTTP', () => {
  test('a loopback listener without token serves its own host', async () => {
    const { port } = await open({});
    expect((await fetch(`http://127.0.0.1:${port}/api/status`)).status).toBe(200);
  });

  test('a listener on every address without token keeps the API shut and health open', async () => {
    const { port } = await open({ listen: '0.0.0.0:0' });
    expect((await fetch(`http://127.0.0.1:${port}/api/status`)).status).toBe(403);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  });

  test('a rotated token takes effect at the next request', async () => {
    let current = 'first';
    const { port } = await open({}, () => current);
    const ask = async (token: string) =>
      (await fetch(`http://127.0.0.1:${port}/api/self`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect([await ask('first'), await ask('second')]).toEqual([200, 401]);
    current = 'second';
    expect([await ask('first'), await ask('second')]).toEqual([401, 200]);
  });
});

describe('over TLS', () => {
  const tls = { certFile: fixture('server.pem'), keyFile: fixture('server.key'), caFile: fixture('ca.pem') };
  const get = (port: number, path: string, client: { cert?: Buffer; key?: Buffer } = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      const ca = readFileSync(tls.caFile);
      const options = {
        host: '127.0.0.1',
        port,
        path,
        ca,
        checkServerIdentity: () => undefined,
        agent: false,
        ...client,
      };
      request(options, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .once('error', reject)
        .end();
    });
  const certified = () => ({ cert: readFileSync(fixture('client.pem')), key: readFileSync(fixture('client.key')) });

  test('probes need no certificate, the API needs one that our CA signed', async () => {
    const { port } = await open({ tls, listen: '0.0.0.0:0' });
    expect(await get(port, '/livez')).toBe(200);
    expect(await get(port, '/api/status')).toBe(403);
    expect(await get(port, '/api/status', certified())).toBe(200);
  });

  test('a client certificate stands in for the token', async () => {
    const { port } = await open({ tls }, () => 'secret');
    expect(await get(port, '/api/status')).toBe(401);
    expect(await get(port, '/api/status', certified())).toBe(200);
  });

  const shownBy = (port: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().subject?.CN);
        socket.end();
      }).once('error', reject);
    });

  test('a renewed certificate is shown without a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'crossfade-admin-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const put = (name: string, as: string): void => copyFileSync(fixture(name), join(folder, as));
    put('server.pem', 'cert.pem');
    put('server.key', 'key.pem');
    const { port } = await open({ tls: { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') } });
    expect(await shownBy(port)).toBe('server.example');
    put('client.pem', 'cert.pem');
    put('client.key', 'key.pem');
    await eventually(async () => (await shownBy(port)) === 'client.example', { timeoutMs: 30_000, everyMs: 250 });
  });

  test('without a CA any certificate is as good as none', async () => {
    const { caFile: _, ...withoutCa } = tls;
    const { port } = await open({ tls: withoutCa, listen: '0.0.0.0:0' });
    expect(await get(port, '/api/status', certified())).toBe(403);
  });
});
