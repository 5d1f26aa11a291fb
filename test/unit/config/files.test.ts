import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkFiles, readConfigFile } from '../../../src/config/files.ts';
import { configSettings } from '../../../src/config/load.ts';

let folder: string;
let present: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'crossfade-config-'));
  present = join(folder, 'present');
  writeFileSync(present, 'x');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const check = (config: object) => checkFiles(config, configSettings).map(({ path }) => path);

describe('the files that a configuration names', () => {
  test('are accepted when they can be read', () => {
    expect(check({ admin: { tokenFile: present }, store: { file: join(folder, 'state.json') } })).toEqual([]);
  });

  test('are all reported when they are missing or folders', () => {
    const config = {
      admin: { tokenFile: join(folder, 'absent') },
      clusters: { source: { passwordFile: folder, tls: { caFile: join(folder, 'no.pem') } } },
    };
    expect(check(config)).toEqual(['admin.tokenFile', 'clusters.source.passwordFile', 'clusters.source.tls.caFile']);
  });

  test('include the folder of the embedded store, but only when it is used', () => {
    // A file cannot become a folder, whoever runs this test.
    const store = { file: join(present, 'below', 'state.json') };
    expect(check({ store: { file: join(folder, 'absent', 'state.json') } })).toEqual([]);
    expect(check({ store })).toEqual(['store.file']);
    expect(check({ store, nats: { servers: ['a'] } })).toEqual([]);
  });
});

describe('the configuration file', () => {
  test('is returned as text', () => {
    expect(readConfigFile(present)).toEqual({ text: 'x' });
  });

  test('that cannot be read is a mistake with its path', () => {
    const path = join(folder, 'absent.yaml');
    expect(readConfigFile(path)).toMatchObject({ issue: { value: JSON.stringify(path), expected: /readable file/ } });
  });
});
