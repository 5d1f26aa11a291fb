/** The store as the command line uses it: waits until it answers, says why when it does not. */

import type { CliConfig } from '../config.ts';
import { openFileStore } from '../coordination/file-store.ts';
import { openNatsStore } from '../coordination/nats-store.ts';
import type { Store } from '../coordination/ports.ts';
import { CrossfadeError, isCrossfadeError } from '../errors.ts';
import { silentLogger } from '../log.ts';

const readyMs = 5000;

/** @throws CrossfadeError STORE_UNAVAILABLE, STORE_UNSUPPORTED */
export const openCliStore = async ({ nats, store: { file } }: CliConfig): Promise<Store> => {
  if (nats === undefined) return openFileStore({ file });
  const store = openNatsStore({ config: nats, member: 'crossfade-cli', logger: silentLogger() });
  try {
    await store.ready(readyMs);
    return store;
  } catch (error) {
    await store.close();
    if (!isCrossfadeError(error, 'STORE_UNAVAILABLE')) throw error;
    throw new CrossfadeError('STORE_UNAVAILABLE', `NATS at ${nats.servers.join(', ')}: ${error.message}`, {
      cause: error,
    });
  }
};
