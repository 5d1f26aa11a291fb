/**
 * Runs a long-lived process from its configuration to its exit code: every mistake is told before a port is bound, and
 * every end has a code of its own (docs/cli.md).
 */

import { createCensor } from '../censor.ts';
import { isCrossfadeError } from '../errors.ts';
import { exitCode, exitOf } from '../exit-codes.ts';
import { type Core, openCore } from './core.ts';
import { loadProcessConfig } from './load-process-config.ts';
import { crashOnUnplanned } from './signals.ts';

export type ProcessInput = { configPath: string | undefined; version: string };

const exitFor = (error: unknown): number =>
  isCrossfadeError(error) ? exitCode(exitOf(error.code)) : exitCode('failed');

/** @returns the exit code; never throws. */
export const runProcess = async (
  { configPath, version }: ProcessInput,
  run: (core: Core) => Promise<number>,
): Promise<number> => {
  const loaded = loadProcessConfig(configPath, process.env);
  if (!loaded.ok) {
    process.stderr.write(`${loaded.message}\n`);
    return exitCode('config');
  }
  let core: Core;
  try {
    core = await openCore({ config: loaded.config, version, env: process.env });
  } catch (error) {
    process.stderr.write(createCensor()(`crossfade: ${error instanceof Error ? error.message : String(error)}\n`));
    return exitFor(error);
  }
  crashOnUnplanned(core.logger);
  try {
    return await run(core);
  } catch (err) {
    core.logger.fatal({ err }, 'the process cannot run');
    await core.close().catch(() => undefined);
    return exitFor(err);
  }
};
