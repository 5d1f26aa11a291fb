/**
 * A real Kubernetes API server on an etcd of its own: authorization by RBAC, tokens that it signs itself, no controllers
 * and no nodes. Nobody publishes the programs where a test may fetch them in seconds, so they come from
 * CROSSFADE_TEST_KUBE_APISERVER, a folder that holds `kube-apiserver` and `etcd`; without it there is none.
 */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { freePort, type Server, startServer } from './child.ts';

export type KubePrograms = { apiserver: string; etcd: string };

/** Undefined where no folder is named. A folder that lacks one of the two is a mistake, and said. */
export const kubePrograms = (): KubePrograms | undefined => {
  const folder = process.env['CROSSFADE_TEST_KUBE_APISERVER'];
  if (folder === undefined) return undefined;
  const programs = { apiserver: join(folder, 'kube-apiserver'), etcd: join(folder, 'etcd') };
  for (const program of Object.values(programs)) if (!existsSync(program)) throw new Error(`there is no ${program}`);
  return programs;
};

export type KubeApiserver = {
  readonly url: string;
  /** The certificate by which clients know it. */
  readonly caFile: string;
  /** For kubectl as an administrator. */
  readonly kubeconfig: string;
  /** One line of JSON for each request that was answered. */
  readonly auditFile: string;
  /** Ends the API server; what is stored stays. */
  halt(): Promise<void>;
  /** The same again, on the same port. */
  resume(): Promise<void>;
  stop(): Promise<void>;
};

const adminToken = 'test-administrator';
const auditPolicy = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'] };

const startEtcd = async (program: string, dir: string): Promise<Server> => {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  return startServer({
    name: 'etcd',
    command: program,
    args: [
      `--data-dir=${join(dir, 'etcd')}`,
      ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=default=${peer}`],
    ],
    logFile: join(dir, 'etcd.log'),
    url: client,
    isUp: async () => (await fetch(`${client}/health`)).ok,
    timeoutMs: 30_000,
  });
};

const writeFiles = (dir: string, url: string): void => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(join(dir, 'accounts.key'), privateKey.export({ type: 'sec1', format: 'pem' }));
  writeFileSync(join(dir, 'tokens.csv'), `${adminToken},administrator,1,system:masters\n`);
  writeFileSync(join(dir, 'audit.json'), JSON.stringify({ ...auditPolicy, rules: [{ level: 'Metadata' }] }));
  const cluster = { server: url, 'certificate-authority': join(dir, 'apiserver.crt') };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'administrator', user: { token: adminToken } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'administrator' } }],
    'current-context': 'test',
  };
  writeFileSync(join(dir, 'kubeconfig'), JSON.stringify(config));
};

type Place = { dir: string; port: number; etcdUrl: string };

const argsOf = ({ dir, port, etcdUrl }: Place): string[] => [
  `--etcd-servers=${etcdUrl}`,
  `--secure-port=${port}`,
  ...['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', '--endpoint-reconciler-type=none'],
  `--cert-dir=${dir}`,
  '--authorization-mode=RBAC',
  `--token-auth-file=${join(dir, 'tokens.csv')}`,
  '--service-account-issuer=https://kubernetes.default.svc',
  `--service-account-signing-key-file=${join(dir, 'accounts.key')}`,
  `--service-account-key-file=${join(dir, 'accounts.key')}`,
  '--service-cluster-ip-range=10.0.0.0/24',
  `--audit-policy-file=${join(dir, 'audit.json')}`,
  `--audit-log-path=${join(dir, 'audit.log')}`,
];

const isReady = async (url: string, caFile: string): Promise<boolean> => {
  const dispatcher = new Agent({ connect: { ca: readFileSync(caFile) } });
  try {
    const headers = { authorization: `Bearer ${adminToken}` };
    const answer = await request(`${url}/readyz`, { dispatcher, headers });
    await answer.body.dump();
    return answer.statusCode === 200;
  } finally {
    await dispatcher.destroy();
  }
};

export const startKubeApiserver = async (programs: KubePrograms): Promise<KubeApiserver> => {
  const dir = mkdtempSync(join(tmpdir(), 'crossfade-kube-'));
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const caFile = join(dir, 'apiserver.crt');
  writeFiles(dir, url);
  const etcd = await startEtcd(programs.etcd, dir);
  const start = (): Promise<Server> =>
    startServer({
      name: 'kube-apiserver',
      command: programs.apiserver,
      args: argsOf({ dir, port, etcdUrl: etcd.url }),
      logFile: join(dir, 'apiserver.log'),
      url,
      isUp: () => isReady(url, caFile),
      timeoutMs: 60_000,
    });
  let server = await start();
  return {
    url,
    caFile,
    kubeconfig: join(dir, 'kubeconfig'),
    auditFile: join(dir, 'audit.log'),
    halt: () => server.stop(),
    resume: async () => {
      server = await start();
    },
    stop: async () => {
      await server.stop();
      await etcd.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
};
