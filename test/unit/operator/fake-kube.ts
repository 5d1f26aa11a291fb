/**
 * An API server for one kind, held to what a real one does with it: a resourceVersion that moves with every change, a
 * generation that moves with the spec only, a status behind its own path, merge patches, 409 for a stale version, 401
 * without the token, and fields that the definition does not know pruned from the status.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { group, plural, version } from '../../../src/operator/resource.ts';

type Stored = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; generation: number; resourceVersion: string };
  spec: Record<string, unknown>;
  status?: Record<string, unknown>;
};
export type FakeKube = {
  url: string;
  /** `kubectl apply` of a whole spec. */
  apply(name: string, spec: Record<string, unknown>): void;
  get(name: string): Stored;
  remove(name: string): void;
  /** How often a status was written. */
  writes(): number;
  close(): Promise<void>;
};

const knownStatus = ['observedGeneration', 'phase', 'stage', 'epoch', 'reign', 'asked', 'conditions'];

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};

const merge = (into: unknown, patch: unknown): unknown => {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof into === 'object' && into !== null && !Array.isArray(into) ? into : {};
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  return merged;
};

/** Without a token it takes everybody in, as `kubectl proxy` does. */
export const fakeKube = async (token: string | undefined, namespace: string): Promise<FakeKube> => {
  const stored = new Map<string, Stored>();
  let versions = 0;
  let writes = 0;
  const collection = `/apis/${group}/${version}/namespaces/${namespace}/${plural}`;
  const send = (response: ServerResponse, status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const failure = (response: ServerResponse, code: number, reason: string): void =>
    send(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code });

  const patchStatus = async (name: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.headers['content-type'] !== 'application/merge-patch+json')
      return failure(response, 415, 'UnsupportedMediaType');
    const found = stored.get(name);
    if (found === undefined) return failure(response, 404, 'NotFound');
    const patch = JSON.parse(await bodyOf(request)) as Partial<Stored>;
    const expected = patch.metadata?.resourceVersion;
    if (expected !== undefined && expected !== found.metadata.resourceVersion)
      return failure(response, 409, 'Conflict');
    const status = merge(found.status, patch.status) as Record<string, unknown>;
    const kept = Object.fromEntries(Object.entries(status).filter(([key]) => knownStatus.includes(key)));
    writes += 1;
    // Everything but the status of the patch is ignored, the spec too.
    const metadata = { ...found.metadata, resourceVersion: String(++versions) };
    stored.set(name, { ...found, metadata, status: kept });
    send(response, 200, stored.get(name));
  };

  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
      return failure(response, 401, 'Unauthorized');
    if (request.method === 'GET' && path === collection)
      return send(response, 200, { kind: 'MigrationList', metadata: {}, items: [...stored.values()] });
    const name = path.startsWith(`${collection}/`) ? path.slice(collection.length + 1).replace(/\/status$/, '') : '';
    if (request.method === 'PATCH' && path === `${collection}/${name}/status`)
      return void patchStatus(name, request, response);
    failure(response, 404, 'NotFound');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apply: (name, spec) => {
      const before = stored.get(name);
      const changed = JSON.stringify(before?.spec) !== JSON.stringify(spec);
      const generation = (before?.metadata.generation ?? 0) + (changed ? 1 : 0);
      const resourceVersion = String(++versions);
      stored.set(name, {
        apiVersion: `${group}/${version}`,
        kind: 'Migration',
        ...before,
        metadata: { name, namespace, generation, resourceVersion },
        spec,
      });
    },
    get: (name) => stored.get(name)!,
    remove: (name) => void stored.delete(name),
    writes: () => writes,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close').catch(() => undefined);
    },
  };
};
