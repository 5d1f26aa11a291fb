/**
 * An API server for one kind, held to what a real one does with it (test/integration/kubernetes/semantics.test.ts asks
 * both): a resourceVersion that moves with every change and stays when a patch changes nothing, a generation that moves with the spec and when a deletion has to wait for a finalizer, a
 * status behind its own path, merge patches, 409 for a stale version, 401 without the token, and the definition: what it
 * does not know is pruned, what it forbids is a 422.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { group, plural, version } from '../../../src/operator/resource.ts';
import { problemsOf, pruned } from './definition.ts';

type Fields = Record<string, unknown>;
type Metadata = {
  name: string;
  namespace: string;
  uid: string;
  generation: number;
  resourceVersion: string;
  finalizers?: string[];
  deletionTimestamp?: string;
};
export type Stored = { apiVersion: string; kind: string; metadata: Metadata; spec: Fields; status?: Fields };

export type FakeKube = {
  url: string;
  /** Takes everybody in, as `kubectl proxy` does. */
  proxyUrl: string;
  /** `kubectl apply` of a whole spec. */
  apply(name: string, spec: Fields, finalizers?: string[]): void;
  get(name: string): Stored;
  /** Marks one that has finalizers, and removes any other. */
  remove(name: string): void;
  /** From here on statuses are answered with this code, as by an etcd that has no room; undefined = no longer. */
  refuseStatus(code: number | undefined): void;
  /** How often a status was written. */
  writes(): number;
  close(): Promise<void>;
};

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};

const merge = (into: unknown, patch: unknown): unknown => {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof into === 'object' && into !== null && !Array.isArray(into) ? into : {};
  const merged: Fields = { ...base };
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  return merged;
};

const checked = (field: 'spec' | 'status', value: Fields): Fields => {
  const kept = pruned(field, value) as Fields;
  const problems = problemsOf(field, kept);
  if (problems.length > 0) throw new Error(problems.join('; '));
  return kept;
};

const send = (response: ServerResponse, status: number, body: unknown): void =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const failure = (response: ServerResponse, code: number, reason: string): void =>
  send(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: reason, reason, code });

/** Without a token it takes everybody in. */
export const fakeKube = async (token: string | undefined, namespace: string): Promise<FakeKube> => {
  const stored = new Map<string, Stored>();
  let versions = 0;
  let writes = 0;
  let refusal: number | undefined;
  const collection = `/apis/${group}/${version}/namespaces/${namespace}/${plural}`;
  const next = (): string => String(++versions);

  const patchStatus = async (name: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const patch = JSON.parse(await bodyOf(request)) as Partial<Stored>;
    if (request.headers['content-type'] !== 'application/merge-patch+json')
      return failure(response, 415, 'UnsupportedMediaType');
    if (refusal !== undefined) return failure(response, refusal, 'InternalError');
    const found = stored.get(name);
    if (found === undefined) return failure(response, 404, 'NotFound');
    const expected = patch.metadata?.resourceVersion;
    if (expected !== undefined && expected !== found.metadata.resourceVersion)
      return failure(response, 409, 'Conflict');
    writes += 1;
    try {
      const status = checked('status', merge(found.status, patch.status) as Fields);
      // Everything but the status of the patch is ignored, the spec too.
      if (!isDeepStrictEqual(status, found.status))
        stored.set(name, { ...found, metadata: { ...found.metadata, resourceVersion: next() }, status });
      send(response, 200, stored.get(name));
    } catch {
      failure(response, 422, 'Invalid');
    }
  };

  const server = createServer((request, response) => {
    const [, proxied, path = ''] = /^(\/proxy)?([^?]*)/.exec(request.url ?? '') ?? [];
    if (token !== undefined && proxied === undefined && request.headers.authorization !== `Bearer ${token}`)
      return failure(response, 401, 'Unauthorized');
    if (request.method === 'GET' && path === collection)
      return send(response, 200, { kind: 'MigrationList', metadata: {}, items: [...stored.values()] });
    const name = path.startsWith(`${collection}/`) ? path.slice(collection.length + 1).replace(/\/status$/, '') : '';
    if (request.method === 'PATCH' && path === `${collection}/${name}/status`)
      return void patchStatus(name, request, response);
    failure(response, 404, 'NotFound');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const change = (found: Stored, metadata: Partial<Metadata>, spec = found.spec): void => {
    const generation = found.metadata.generation + 1;
    const moved = { ...found.metadata, ...metadata, generation, resourceVersion: next() };
    stored.set(found.metadata.name, { ...found, metadata: moved, spec });
  };
  const create = (name: string, spec: Fields, finalizers: string[]): void => {
    const held = finalizers.length === 0 ? {} : { finalizers };
    const metadata = { name, namespace, uid: `uid-${next()}`, generation: 1, resourceVersion: next(), ...held };
    stored.set(name, { apiVersion: `${group}/${version}`, kind: 'Migration', metadata, spec });
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    proxyUrl: `${url}/proxy`,
    apply: (name, given, finalizers = []) => {
      const spec = checked('spec', given);
      const before = stored.get(name);
      if (before === undefined) create(name, spec, finalizers);
      else if (!isDeepStrictEqual(before.spec, spec)) change(before, {}, spec);
    },
    get: (name) => stored.get(name)!,
    remove: (name) => {
      const found = stored.get(name);
      if (found?.metadata.finalizers === undefined) stored.delete(name);
      else change(found, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    },
    refuseStatus: (code) => {
      refusal = code;
    },
    writes: () => writes,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close').catch(() => undefined);
    },
  };
};
