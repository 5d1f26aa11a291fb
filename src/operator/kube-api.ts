/**
 * The two calls that the operator makes to a Kubernetes API server, over undici: list the Migrations of one namespace, and
 * write the status of one. The token is read for each call, because the kubelet renews it. A conflict is an answer: the
 * resource has changed since it was read, and the next pass looks again.
 */
import { readFileSync } from 'node:fs';
import { Agent, type Dispatcher, request } from 'undici';
import * as z from 'zod';
import { CrossfadeError } from '../errors.ts';
import { group, Migration, type MigrationStatus, plural, version } from './resource.ts';

export type KubeOptions = {
  url: string;
  namespace: string;
  tokenFile?: string | undefined;
  caFile?: string | undefined;
};
export interface KubeApi {
  /** @throws CrossfadeError UPSTREAM_UNREACHABLE, UPSTREAM_REFUSED */
  list(): Promise<Migration[]>;
  /** @throws CrossfadeError as list */
  writeStatus(migration: Migration, status: MigrationStatus): Promise<'written' | 'conflict'>;
  close(): Promise<void>;
}

const timeoutMs = 10_000;
const MigrationList = z.object({ items: z.array(Migration) });

type Call = { method: 'GET' | 'PATCH'; path: string; body?: unknown };

const dispatcherOf = ({ caFile }: KubeOptions): Dispatcher =>
  new Agent({
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    allowH2: false,
    ...(caFile === undefined ? {} : { connect: { ca: readFileSync(caFile) } }),
  });

export const createKubeApi = (options: KubeOptions): KubeApi => {
  const { url, namespace, tokenFile } = options;
  const dispatcher = dispatcherOf(options);
  const collection = `/apis/${group}/${version}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
  const call = async ({ method, path, body }: Call): Promise<{ status: number; text: string }> => {
    const token = tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').trim();
    try {
      const answer = await request(`${url}${path}`, {
        method,
        dispatcher,
        headers: {
          accept: 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/merge-patch+json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (cause) {
      throw new CrossfadeError('UPSTREAM_UNREACHABLE', 'The Kubernetes API cannot be reached.', { cause });
    }
  };
  const refused = ({ status, text }: { status: number; text: string }): CrossfadeError =>
    new CrossfadeError('UPSTREAM_REFUSED', `The Kubernetes API answered ${status}: ${text.slice(0, 300)}`);
  return {
    list: async () => {
      const answer = await call({ method: 'GET', path: collection });
      if (answer.status !== 200) throw refused(answer);
      return MigrationList.parse(JSON.parse(answer.text)).items;
    },
    writeStatus: async ({ metadata: { name, resourceVersion } }, status) => {
      const path = `${collection}/${encodeURIComponent(name)}/status`;
      const answer = await call({ method: 'PATCH', path, body: { metadata: { resourceVersion }, status } });
      // Gone is as good as changed: there is nobody to tell.
      if (answer.status === 409 || answer.status === 404) return 'conflict';
      if (answer.status !== 200) throw refused(answer);
      return 'written';
    },
    close: () => dispatcher.close(),
  };
};
