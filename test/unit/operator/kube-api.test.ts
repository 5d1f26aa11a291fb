/** How the operator talks to an API server: with what its pod is given, as it stands at the moment of each call. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createKubeApi, type KubeApi } from '../../../src/operator/kube-api.ts';
import { keeping } from '../../support/keeping.ts';
import { tlsBytes } from '../../support/tls.ts';
import { type FakeKube, fakeKube } from './fake-kube.ts';

const { keep } = keeping();
const folder = mkdtempSync(join(tmpdir(), 'crossfade-operator-'));
const tokenFile = join(folder, 'token');
const route = { indices: [{ source: 'products_v1', target: 'products_v2' }] };
let kube: FakeKube;
let api: KubeApi;

beforeEach(async () => {
  kube = keep(await fakeKube('secret', 'search'));
  writeFileSync(tokenFile, 'secret\n');
  api = keep(createKubeApi({ url: kube.url, namespace: 'search', tokenFile }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the API of Kubernetes', () => {
  it('is asked with the token of this moment, and a refusal is an error with its status', async () => {
    writeFileSync(tokenFile, 'expired');
    await expect(api.list()).rejects.toMatchObject({
      code: 'UPSTREAM_REFUSED',
      message: 'The Kubernetes API answered 401: Unauthorized',
    });
    writeFileSync(tokenFile, 'secret');
    expect(await api.list()).toEqual([]);
  });

  it('tells of a resource that changed meanwhile, and of one that is gone', async () => {
    kube.apply('products', { route });
    const [migration] = await api.list();
    kube.apply('products', { route, stop: true });
    expect(await api.writeStatus(migration!, { conditions: [] })).toBe('conflict');
    kube.remove('products');
    expect(await api.writeStatus(migration!, { conditions: [] })).toBe('conflict');
  });

  it('is trusted by the certificates that stand in the file at this moment', async () => {
    const items = JSON.stringify({ items: [] });
    const files = { key: tlsBytes('server.key'), cert: tlsBytes('server.pem') };
    const server = createServer(files, (_, response) => void response.end(items)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const caFile = join(folder, 'ca.crt');
    writeFileSync(caFile, tlsBytes('client.pem'));
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    const secure = createKubeApi({ url, namespace: 'search', caFile });
    await expect(secure.list()).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' });
    writeFileSync(caFile, tlsBytes('ca.pem'));
    expect(await secure.list()).toEqual([]);
    await secure.close();
    server.close();
  });
});
