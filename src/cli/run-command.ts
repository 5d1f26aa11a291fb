/**
 * Runs one command from its configuration to its exit code: the same for all, so that every command reports mistakes,
 * prints JSON and suggests the next step alike. Data goes to stdout; everything else to stderr.
 */

import type { Environment } from '../config/environment.ts';
import { readConfigFile } from '../config/files.ts';
import { renderIssues } from '../config/issues.ts';
import { loadCliConfig } from '../config/load.ts';
import type { CliConfig } from '../config.ts';
import type { Store } from '../coordination/ports.ts';
import { exitCode } from '../exit-codes.ts';
import { CliError, type Failure, failureOf } from './cli-error.ts';
import type { CliContext, CommonOptions, Outcome } from './context.ts';
import type { CliIo } from './io.ts';

export type OpenOptions = {
  note(text: string): void;
  /** False: a store that does not exist yet is an error, and nothing is written that was not asked for. */
  mayBegin: boolean;
};
export type CliDeps = {
  io: CliIo;
  env: Environment;
  /** @throws CrossfadeError STORE_UNAVAILABLE, STORE_UNSUPPORTED */
  openStore(config: CliConfig, options: OpenOptions): Promise<Store>;
  newId(): string;
};

export type Run = (context: CliContext) => Promise<Outcome>;

/** The option, else the variable; one that is set to nothing counts as not set, like those of settings. */
export const configPathOf = (env: Environment, given: string | undefined): string | undefined =>
  given ?? (env['CROSSFADE_CONFIG'] || undefined);

const readCliConfig = (env: Environment, path: string | undefined): CliConfig => {
  const file = path === undefined ? { text: undefined } : readConfigFile(path);
  if ('issue' in file) throw new CliError('config', renderIssues([file.issue]));
  const loaded = loadCliConfig({ fileText: file.text, env });
  if (!loaded.ok) throw new CliError('config', renderIssues(loaded.issues));
  return loaded.config;
};

const print = (outcome: Outcome, { io, options }: { io: CliIo; options: CommonOptions }): number => {
  if (options.json && outcome.json !== undefined) io.out(`${JSON.stringify(outcome.json, undefined, 2)}\n`);
  if (!options.json && outcome.text !== '') io.out(`${outcome.text}\n`);
  if (!options.json && outcome.next !== undefined) io.note(`next: crossfade ${outcome.next}`);
  return exitCode(outcome.exit ?? 'done');
};

/** What a program gets on stdout instead of data. */
export const errorJson = ({ exit, code, message }: Omit<Failure, 'next'>): string =>
  `${JSON.stringify({ error: { code, exit: exitCode(exit), message } }, undefined, 2)}\n`;

/** For commands that need neither configuration nor store. @returns the exit code; never throws. */
export const runOffline = async (
  io: CliIo,
  options: CommonOptions,
  run: () => Promise<Outcome> | Outcome,
): Promise<number> => {
  try {
    return print(await run(), { io, options });
  } catch (error) {
    return printFailure(failureOf(error), io, options.json);
  }
};

/** Somebody on the wrong host sees by it where the command has looked. */
const withPlace = (failure: Failure, nats: CliConfig['nats']): Failure => {
  if (failure.exit !== 'store' || nats === undefined) return failure;
  const place = `nats.bucket: ${nats.bucket}, nats.servers: ${nats.servers.join(', ')}`;
  return { ...failure, message: `${failure.message.replace(/\.$/, '')} (${place})` };
};

const printFailure = (failure: Failure, io: CliIo, json: boolean): number => {
  const { exit, message, next } = failure;
  if (json) io.out(errorJson(failure));
  io.note(`crossfade: ${message}`);
  if (next !== undefined) io.note(`next: crossfade ${next}`);
  return exitCode(exit);
};

export type Invocation = { options: CommonOptions; configPath: string | undefined; mayBegin: boolean; run: Run };

/** @returns the exit code; never throws. */
export const runCommand = async (
  deps: CliDeps,
  { options, configPath, mayBegin, run }: Invocation,
): Promise<number> => {
  const { io, env } = deps;
  let store: Store | undefined;
  let nats: CliConfig['nats'];
  try {
    const config = readCliConfig(env, configPathOf(env, configPath));
    ({ nats } = config);
    store = await deps.openStore(config, { note: io.note, mayBegin });
    return print(await run({ io, options, config, store, newId: deps.newId }), { io, options });
  } catch (error) {
    return printFailure(withPlace(failureOf(error), nats), io, options.json);
  } finally {
    await store?.close().catch(() => undefined);
  }
};
