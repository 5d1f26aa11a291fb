import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCliStore } from '../../../src/app/open-store.ts';
import { loadCliConfig } from '../../../src/config/load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crossfade-cli-store-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const configOf = (file: string) => {
  const loaded = loadCliConfig({ fileText: undefined, env: { CROSSFADE_STORE_FILE: file } });
  if (!loaded.ok) throw new Error('the configuration is valid');
  return loaded.config;
};

describe('the embedded store of a command', () => {
  it('is not made by one that only looks, which says where it looked', async () => {
    const file = join(folder, 'state', 'store.json');
    await expect(openCliStore(configOf(file), { note: () => undefined, mayBegin: false })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(file),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is made by one that may, which says so', async () => {
    const notes: string[] = [];
    const file = join(folder, 'store.json');
    const store = await openCliStore(configOf(file), { note: (text) => notes.push(text), mayBegin: true });
    await store.close();
    expect(readdirSync(folder)).toContain('store.json');
    expect(notes).toEqual([expect.stringContaining(`${file} does not exist yet`)]);
  });
});
