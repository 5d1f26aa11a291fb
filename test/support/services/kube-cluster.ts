/**
 * A real API server with what docs/operator.md tells people to apply, and kubectl as its administrator. Where the server
 * or kubectl is not to be had, `whyNoKubeCluster` says what is missing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type KubeApiserver, kubePrograms, startKubeApiserver } from './kube-apiserver.ts';
import { kubernetesTools } from './kubernetes-tools.ts';

const tools = await kubernetesTools();
const programs = kubePrograms();
export const whyNoKubeCluster = (): string | undefined => {
  if (programs === undefined) return 'CROSSFADE_TEST_KUBE_APISERVER names no folder';
  return tools === undefined ? 'there is no kubectl' : undefined;
};

export type Said = { out: string; err: string };
export type KubeCluster = {
  server: KubeApiserver;
  /** Rejects with what kubectl said when it fails. */
  kubectl(args: readonly string[], input?: unknown): Promise<Said>;
  /** A folder as the kubelet mounts it into a pod of this account: `token` and `ca.crt`. */
  accountFolder(namespace: string, name: string): Promise<string>;
  /** The URL of a `kubectl proxy` as the account of that folder. */
  proxy(folder: string): Promise<string>;
  stop(): Promise<void>;
};

const root = join(import.meta.dirname, '../../..');
/** What a pod of the operator needs of a cluster, but for its namespace. */
export const operatorManifests = ['deploy/operator/crd.yaml', 'deploy/operator/operator.yaml'];

const runKubectl = async (kubeconfig: string, args: readonly string[], input?: unknown): Promise<Said> => {
  const child = spawn(tools?.kubectl ?? 'kubectl', [`--kubeconfig=${kubeconfig}`, ...args], { cwd: root });
  child.stdin.end(input === undefined ? '' : typeof input === 'string' ? input : JSON.stringify(input));
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${err}`);
  return { out, err };
};

/** A kubeconfig whose token is read from the folder again and again. */
const accountConfig = (folder: string, url: string): string => {
  const file = join(folder, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: url, 'certificate-authority': join(folder, 'ca.crt') } }],
    users: [{ name: 'u', user: { tokenFile: join(folder, 'token') } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
};

const startProxy = async (kubeconfig: string, stops: (() => Promise<void>)[]): Promise<string> => {
  const child = spawn(tools?.kubectl ?? 'kubectl', [`--kubeconfig=${kubeconfig}`, 'proxy', '--port=0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  stops.push(async () => {
    const gone = once(child, 'exit');
    if (child.kill()) await gone;
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const address = /127\.0\.0\.1:\d+/.exec(said.toString('utf8'))?.[0];
  if (address === undefined) throw new Error(`kubectl proxy: ${said.toString('utf8')}`);
  return `http://${address}`;
};

export const startKubeCluster = async (): Promise<KubeCluster> => {
  if (programs === undefined) throw new Error(whyNoKubeCluster());
  const server = await startKubeApiserver(programs);
  const stops: (() => Promise<void>)[] = [() => server.stop()];
  const kubectl = (args: readonly string[], input?: unknown) => runKubectl(server.kubeconfig, args, input);
  return {
    server,
    kubectl,
    accountFolder: async (namespace, name) => {
      const folder = mkdtempSync(join(tmpdir(), 'crossfade-account-'));
      stops.push(async () => rmSync(folder, { recursive: true, force: true }));
      copyFileSync(server.caFile, join(folder, 'ca.crt'));
      writeFileSync(join(folder, 'token'), (await kubectl(['create', 'token', name, '-n', namespace])).out);
      return folder;
    },
    proxy: (folder) => startProxy(accountConfig(folder, server.url), stops),
    stop: async () => {
      for (const stop of stops.toReversed()) await stop();
    },
  };
};
