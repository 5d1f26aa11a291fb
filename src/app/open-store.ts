/** The store as the command line uses it: waits until it answers, says why when it does not. */

import { existsSync } from 'node:fs';
import type { OpenOptions } from '../cli/run-command.ts';
import type { CliConfig } from '../config.ts';
import { openFileStore } from '../coordination/file-store.ts';
import { openNatsStore } from '../coordination/nats-store.ts';
import type { Store } from '../coordination/ports.ts';
import { CrossfadeError } from '../errors.ts';
import { silentLogger } from '../log.ts';

const readyMs = 5000;

/** Somebody on the wrong host or without the variables would take an empty answer for the state of the fleet. */
const noteMissing = (file: string, { note, mayBegin }: OpenOptions): void => {
  if (existsSync(file)) return;
  const finding = `No NATS is configured here (CROSSFADE_NATS_SERVERS), and the state file ${file} does not exist yet.`;
  if (!mayBegin) throw new CrossfadeError('STORE_UNAVAILABLE', finding);
  note(finding);
};

/** @throws CrossfadeError STORE_UNAVAILABLE, STORE_UNSUPPORTED */
export const openCliStore = async ({ nats, store: { file } }: CliConfig, options: OpenOptions): Promise<Store> => {
  if (nats === undefined) {
    noteMissing(file, options);
    return openFileStore({ file });
  }
  const { mayBegin } = options;
  const store = openNatsStore({ config: nats, member: 'crossfade-cli', mayBegin, logger: silentLogger() });
  try {
    await store.ready(readyMs);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
};
