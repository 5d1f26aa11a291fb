/**
 * Migrations in an API server, the fake one of the unit tests or a real one, behind one interface: so that the same test
 * holds the first against the second.
 */
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { group, version } from '../../src/operator/resource.ts';
import type { KubeOptions } from '../../src/operator/kube-api.ts';
import { fakeKube, type Stored } from '../unit/operator/fake-kube.ts';
import { type KubeCluster, operatorManifests, startKubeCluster, whyNoKubeCluster } from './services/kube-cluster.ts';

export const namespace = 'search';

export type KubeWorld = {
  /** As the operator in its pod has them. */
  options: KubeOptions & { tokenFile: string };
  /** Of a proxy that speaks for the operator's account. */
  proxyUrl: string;
  /** `kubectl apply`; rejects where the API server does. */
  apply(name: string, spec: Record<string, unknown>, finalizers?: string[]): Promise<void>;
  get(name: string): Promise<Stored>;
  remove(name: string): Promise<void>;
  /** For a moment the API server is away. */
  restart(): Promise<void>;
  close(): Promise<void>;
};

const fakeWorld = async (): Promise<KubeWorld> => {
  const folder = mkdtempSync(join(tmpdir(), 'crossfade-account-'));
  const kube = await fakeKube('secret', namespace);
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'secret');
  return {
    options: { url: kube.url, namespace, tokenFile },
    proxyUrl: kube.proxyUrl,
    apply: async (...given) => kube.apply(...given),
    get: async (name) => kube.get(name),
    remove: async (name) => kube.remove(name),
    restart: async () => undefined,
    close: async () => {
      rmSync(folder, { recursive: true });
      await kube.close();
    },
  };
};

/** With the operator's manifests applied as docs/operator.md says. */
export const applyOperator = async ({ kubectl }: KubeCluster): Promise<void> => {
  await kubectl(['create', 'namespace', namespace]);
  for (const file of operatorManifests) await kubectl(['apply', '-n', namespace, '-f', file]);
  await kubectl(['wait', '--for=condition=Established', 'crd/migrations.crossfade.dev']);
};

const realWorld = async (): Promise<KubeWorld> => {
  const cluster = await startKubeCluster();
  const { kubectl, server } = cluster;
  await applyOperator(cluster);
  const folder = await cluster.accountFolder(namespace, 'crossfade-operator');
  return {
    options: { url: server.url, namespace, tokenFile: join(folder, 'token'), caFile: join(folder, 'ca.crt') },
    proxyUrl: await cluster.proxy(folder),
    apply: async (name, spec, finalizers = []) => {
      const metadata = { name, namespace, ...(finalizers.length === 0 ? {} : { finalizers }) };
      await kubectl(['apply', '-f', '-'], { apiVersion: `${group}/${version}`, kind: 'Migration', metadata, spec });
    },
    get: async (name) => {
      const { out } = await kubectl(['get', 'migration', name, '-n', namespace, '-o', 'json']);
      return JSON.parse(out) as Stored;
    },
    remove: async (name) => void (await kubectl(['delete', 'migration', name, '-n', namespace, '--wait=false'])),
    restart: async () => {
      await server.halt();
      await server.resume();
    },
    close: () => cluster.stop(),
  };
};

const missing = whyNoKubeCluster();
/** For describe.each: what stands before a title, whether it is skipped, and how to start it. */
export const kubeWorlds = [
  { server: 'a fake API server', skip: false, start: fakeWorld },
  {
    server: `a real API server${missing === undefined ? '' : ` (skipped: ${missing})`}`,
    skip: missing !== undefined,
    start: realWorld,
  },
];
