/**
 * `crossfade operator`: keeps the routes of one namespace as its Migrations say. It looks again every few seconds instead
 * of watching: nothing here is in a hurry, and a list cannot stall in silence. It is no member and holds no lease; agents
 * go on without it, and two of them at a time can do no harm.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '../coordination/ports.ts';
import type { Logger } from '../log.ts';
import { emptyMemory, type OperatorDeps } from './deps.ts';
import { createKubeApi, type KubeOptions } from './kube-api.ts';
import { reconcile } from './reconcile.ts';

export type OperatorOptions = {
  store: Store;
  kube: KubeOptions;
  logger: Logger;
  everyMs: number;
  signal: AbortSignal;
};

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Inside a pod the kubelet tells where the API server is; elsewhere `kubectl proxy` stands in for it. */
export const kubeOptions = (
  { namespace, kubeApi }: { namespace: string | undefined; kubeApi: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): KubeOptions | undefined => {
  const found = namespace ?? env['POD_NAMESPACE'];
  if (found === undefined) return undefined;
  if (kubeApi !== undefined) return { url: kubeApi.replace(/\/$/, ''), namespace: found };
  const host = env['KUBERNETES_SERVICE_HOST'];
  if (host === undefined) return undefined;
  return {
    url: `https://${host.includes(':') ? `[${host}]` : host}:${env['KUBERNETES_SERVICE_PORT'] ?? '443'}`,
    namespace: found,
    tokenFile: `${serviceAccount}/token`,
    caFile: `${serviceAccount}/ca.crt`,
  };
};

/**
 * One pass over all Migrations; one that fails does not hold up the others. At the signal what was begun is ended: an API
 * server that hangs holds up each of them, and who is killed between the two halves of a request has it given up.
 */
export const pass = async (deps: OperatorDeps, logger: Pick<Logger, 'warn'>, signal: AbortSignal): Promise<void> => {
  for (const migration of await deps.kube.list()) {
    if (signal.aborted) return;
    await reconcile(deps, migration).catch((err: unknown) =>
      logger.warn({ err, migration: migration.metadata.name }, 'migration will be looked at again'),
    );
  }
};

/** Until the signal. */
export const runOperator = async ({
  store,
  kube: options,
  logger,
  everyMs,
  signal,
}: OperatorOptions): Promise<void> => {
  const kube = createKubeApi(options);
  const sleep = (ms: number): Promise<void> => delay(ms, undefined, { signal }).catch(() => undefined);
  const deps: OperatorDeps = { store, kube, newId: randomUUID, now: Date.now, sleep, memory: emptyMemory() };
  while (!signal.aborted) {
    await pass(deps, logger, signal).catch((err: unknown) => logger.warn({ err }, 'migrations cannot be listed'));
    await sleep(everyMs);
  }
  await kube.close();
};
