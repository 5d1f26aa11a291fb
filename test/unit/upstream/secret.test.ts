import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/log.ts';
import { fileSecret, secretFrom } from '../../../src/upstream/secret.ts';

let dir: string;
let nowMs: number;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'secret-'));
  nowMs = 0;
});
afterEach(() => rmSync(dir, { recursive: true }));

const options = { logger: silentLogger(), now: () => nowMs };
const path = (name: string): string => join(dir, name);

describe('a secret file', () => {
  it('is read without its last line break', () => {
    writeFileSync(path('a'), 'se cret\n');
    expect(fileSecret({ path: path('a'), ...options })()).toBe('se cret');
  });

  it('is read again after it changed, at most once a second', () => {
    writeFileSync(path('a'), 'old');
    const secret = fileSecret({ path: path('a'), ...options });
    writeFileSync(path('a'), 'new value');
    nowMs = 999;
    expect(secret()).toBe('old');
    nowMs = 1000;
    expect(secret()).toBe('new value');
  });

  it('follows a link that is swapped, as mounted secrets are', () => {
    writeFileSync(path('v1'), 'one');
    writeFileSync(path('v2'), 'two');
    symlinkSync(path('v1'), path('current'));
    const secret = fileSecret({ path: path('current'), ...options });
    symlinkSync(path('v2'), path('next'));
    renameSync(path('next'), path('current'));
    nowMs = 1000;
    expect(secret()).toBe('two');
  });

  it('keeps its last value while the file is gone, and takes the next one', () => {
    writeFileSync(path('a'), 'old');
    const secret = fileSecret({ path: path('a'), ...options });
    unlinkSync(path('a'));
    nowMs = 1000;
    expect(secret()).toBe('old');
    writeFileSync(path('a'), 'newer');
    nowMs = 2000;
    expect(secret()).toBe('newer');
  });

  it('that is missing at the start is a mistake of the configuration', () => {
    expect(() => fileSecret({ path: path('none'), ...options })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});

describe('a secret', () => {
  it('given as a value needs no file, and none at all is none', () => {
    expect(secretFrom('given', '/nowhere', options)?.()).toBe('given');
    expect(secretFrom(undefined, undefined, options)).toBeUndefined();
  });
});
