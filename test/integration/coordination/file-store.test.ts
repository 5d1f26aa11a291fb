import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from '../../../src/coordination/file-store.ts';
import { testStore } from './store-contract.ts';

testStore('the embedded store', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'crossfade-store-'));
  const times = { liveTtlMs: 1_000, ackWaitMs: 400 };
  return {
    ...times,
    sharedQueue: false,
    dispose: () => rm(directory, { recursive: true }),
    open: () => openFileStore({ file: join(directory, 'deep', 'state.json'), pollMs: 20, ...times }),
  };
});
