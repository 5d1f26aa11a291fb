/**
 * `crossfade operator` as a process: configuration of the command line, since it needs no cluster, the store, and a log. It
 * has no listener: what it did stands in the status of each Migration and in the audit of each route.
 */
import { readConfigFile } from '../config/files.ts';
import { renderIssues } from '../config/issues.ts';
import { loadCliConfig } from '../config/load.ts';
import type { CliConfig } from '../config.ts';
import { isCrossfadeError } from '../errors.ts';
import { exitCode, exitOf } from '../exit-codes.ts';
import { createLogger, type Logger } from '../log.ts';
import { kubeOptions, runOperator } from '../operator/run.ts';
import { openCliStore } from './open-store.ts';
import { crashOnUnplanned, firstSignal } from './signals.ts';

export type OperatorInput = {
  configPath: string | undefined;
  namespace: string | undefined;
  kubeApi: string | undefined;
  everySeconds: number;
};

type Read = { ok: true; config: CliConfig } | { ok: false; message: string };

const readConfig = (path: string | undefined): Read => {
  const file = path === undefined ? { text: undefined } : readConfigFile(path);
  if ('issue' in file) return { ok: false, message: renderIssues([file.issue]) };
  const loaded = loadCliConfig({ fileText: file.text, env: process.env });
  return loaded.ok ? loaded : { ok: false, message: renderIssues(loaded.issues) };
};

const work = async (config: CliConfig, input: OperatorInput, logger: Logger): Promise<number> => {
  const kube = kubeOptions(input, process.env);
  if (kube === undefined) {
    logger.fatal('outside of a pod --namespace and --kube-api are needed, for example with kubectl proxy');
    return exitCode('config');
  }
  const ended = new AbortController();
  void firstSignal(logger).then(() => ended.abort());
  const store = await openCliStore(config, { note: (text) => logger.warn({ text }, 'store'), mayBegin: true });
  try {
    logger.info({ namespace: kube.namespace, api: kube.url }, 'reconciling');
    await runOperator({ store, kube, logger, everyMs: input.everySeconds * 1000, signal: ended.signal });
    logger.info('stopped');
    return exitCode('done');
  } finally {
    await store.close();
  }
};

/** @returns the exit code; never throws. */
export const runOperatorProcess = async (input: OperatorInput): Promise<number> => {
  const read = readConfig(input.configPath);
  if (!read.ok) {
    process.stderr.write(`${read.message}\n`);
    return exitCode('config');
  }
  const logger = createLogger({ level: 'info', member: 'operator' });
  crashOnUnplanned(logger);
  try {
    return await work(read.config, input, logger);
  } catch (err) {
    logger.fatal({ err }, 'the process cannot run');
    return isCrossfadeError(err) ? exitCode(exitOf(err.code)) : exitCode('failed');
  }
};
