/**
 * The two calls that the operator makes to a Kubernetes API server, over undici: list the Migrations of one namespace, and
 * write the status of one. Token and certificates are read for each call, because the kubelet renews them. A conflict is an
 * answer: the resource has changed since it was read, and the next pass looks again.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import * as z from 'zod';
import { parseRecord } from '../coordination/parse-record.ts';
import { CrossfadeError } from '../errors.ts';
import { group, Migration, MigrationStatus, plural, version } from './resource.ts';

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
const KubeStatus = z.object({ message: z.string() });
const MigrationList = z.object({ items: z.array(Migration) });

type Call = { method: 'GET' | 'PATCH'; path: string; body?: unknown };

const agentFor = (ca: string | undefined): Agent =>
  new Agent({
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    allowH2: false,
    ...(ca === undefined ? {} : { connect: { ca } }),
  });

type Trust = { agent(): Agent; close(): Promise<void> };

/** Connections made under certificates that were replaced end with their calls. */
const trusting = ({ caFile }: KubeOptions): Trust => {
  const read = (): string | undefined => (caFile === undefined ? undefined : readFileSync(caFile, 'utf8'));
  let ca = read();
  let agent = agentFor(ca);
  return {
    agent: () => {
      const now = read();
      if (now === ca) return agent;
      void agent.close();
      ca = now;
      agent = agentFor(ca);
      return agent;
    },
    close: () => agent.close(),
  };
};

type Answer = { status: number; text: string };

const refused = ({ status, text }: Answer): CrossfadeError => {
  const said = parseRecord(KubeStatus, text)?.message ?? text;
  return new CrossfadeError('UPSTREAM_REFUSED', `The Kubernetes API answered ${status}: ${said.slice(0, 300)}`);
};

/** A merge patch keeps what it does not name, so what is to go is named. */
const statusPatch = (status: MigrationStatus): Record<string, unknown> => ({
  ...Object.fromEntries(Object.keys(MigrationStatus.shape).map((field) => [field, null])),
  ...status,
});

export const createKubeApi = (options: KubeOptions): KubeApi => {
  const { url, namespace, tokenFile } = options;
  const trust = trusting(options);
  const collection = `/apis/${group}/${version}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
  const call = async ({ method, path, body }: Call): Promise<Answer> => {
    const token = tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').trim();
    try {
      const answer = await request(`${url}${path}`, {
        method,
        dispatcher: trust.agent(),
        headers: {
          accept: 'application/json',
          // The API server keeps the name with each field, as that of who manages it.
          'user-agent': 'crossfade-operator',
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
  return {
    list: async () => {
      const answer = await call({ method: 'GET', path: collection });
      if (answer.status !== 200) throw refused(answer);
      return MigrationList.parse(JSON.parse(answer.text)).items;
    },
    writeStatus: async ({ metadata: { name, resourceVersion } }, status) => {
      const path = `${collection}/${encodeURIComponent(name)}/status`;
      const answer = await call({
        method: 'PATCH',
        path,
        body: { metadata: { resourceVersion }, status: statusPatch(status) },
      });
      // Gone is as good as changed: there is nobody to tell.
      if (answer.status === 409 || answer.status === 404) return 'conflict';
      if (answer.status !== 200) throw refused(answer);
      return 'written';
    },
    close: () => trust.close(),
  };
};
