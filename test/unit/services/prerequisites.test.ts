/** What integration tests need is found, or fetched, on a machine that is made of a few programs that say what they are told. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { executableFolder } from '../../support/executables.ts';
import { cacheDir, keepInCache } from '../../support/services/cache.ts';
import { natsServerBinary, natsVersion, whyNoNats } from '../../support/services/nats.ts';
import { findJdk, isRoot, MissingPrerequisite } from '../../support/services/prerequisites.ts';

const folder = executableFolder('prerequisites');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = (path: string, lines: string): string => {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!${process.execPath}\n${lines}\n`);
  chmodSync(file, 0o755);
  return file;
};
const java = (home: string, names: readonly string[], major = 21): string => {
  for (const name of names) program(`${home}/bin/${name}`, `console.error('openjdk version "${major}.0.1"');`);
  return join(folder, home);
};

describe('a JDK', () => {
  const all = ['java', 'javac', 'jar'];
  it('is no runtime alone, however new that is', async () => {
    const runtime = java('jre', ['java'], 25);
    expect(await findJdk([runtime], false)).toBeUndefined();
    expect(await findJdk([runtime, java('jdk', all)], false)).toBe(join(folder, 'jdk'));
  });

  it('of several is the newest, from 21 on', async () => {
    const homes = [17, 21, 24].map((major) => java(`jdk-${major}`, all, major));
    expect(await findJdk(homes, false)).toBe(homes[2]);
    expect(await findJdk(homes.slice(0, 1), false)).toBeUndefined();
  });

  it('in a folder that only its owner may enter is none where another account is to run it', async () => {
    const closed = java('closed/jdk', all);
    chmodSync(join(folder, 'closed'), 0o700);
    expect(await findJdk([closed], false)).toBe(closed);
    expect(await findJdk([closed], true)).toBeUndefined();
  });
});

describe('the cache', () => {
  beforeEach(() => void vi.stubEnv('CROSSFADE_TEST_CACHE', join(folder, 'cache')));
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(join(folder, 'cache'), { recursive: true, force: true });
  });
  const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

  it('is open to every account that is to run what root put there, whatever the umask', async () => {
    const into = join(cacheDir(), 'bin', 'made');
    chmodSync(cacheDir(), 0o700);
    await keepInCache(into, async (staging) => {
      const home = join(staging, 'home');
      mkdirSync(join(home, 'lib'), { recursive: true, mode: 0o700 });
      writeFileSync(join(home, 'lib', 'text'), '', { mode: 0o600 });
      writeFileSync(join(home, 'lib', 'program'), '', { mode: 0o700 });
      return home;
    });
    const modes = ['', 'lib', 'lib/text', 'lib/program'].map((path) => modeOf(join(into, path)));
    expect(modes).toEqual(['755', '755', '644', '755']);
    if (isRoot()) expect([cacheDir(), dirname(into)].map(modeOf)).toEqual(['755', '755']);
  });

  it('holds nothing of what could not be made', async () => {
    const failing = keepInCache(join(cacheDir(), 'made'), (staging) => {
      writeFileSync(join(staging, 'half'), '');
      return Promise.reject(new Error('no room'));
    });
    await expect(failing).rejects.toThrow('no room');
    expect(readdirSync(cacheDir())).toEqual([]);
  });

  it('keeps what another process has put there meanwhile', async () => {
    const into = join(cacheDir(), 'made');
    await keepInCache(into, async (staging) => {
      mkdirSync(into);
      writeFileSync(join(into, 'theirs'), '');
      return staging;
    });
    expect(readdirSync(cacheDir())).toEqual(['made']);
    expect(existsSync(join(into, 'theirs'))).toBe(true);
  });
});

describe('a NATS server on a machine without Go', () => {
  const engine = (answers: boolean, hasServer = true): void => {
    program(
      'path/docker',
      `import { appendFileSync, writeFileSync } from 'node:fs';
const [command, what, into] = process.argv.slice(2);
appendFileSync('${join(folder, 'asked')}', [command, what].join(' ').trim() + '\\n');
if (command === 'info') process.exit(${answers ? 0 : 1});
if (command === 'create') console.log('c0ffee');
if (command === 'cp' && !${hasServer}) process.exit(1);
if (command === 'cp') writeFileSync(into, 'the server', { mode: 0o755 });`,
    );
    vi.stubEnv('PATH', join(folder, 'path'));
    vi.stubEnv('CROSSFADE_TEST_NATS_SERVER', undefined);
    vi.stubEnv('CROSSFADE_TEST_CACHE', join(folder, 'cache'));
  };
  afterEach(() => {
    vi.unstubAllEnvs();
    for (const name of ['cache', 'path', 'asked']) rmSync(join(folder, name), { recursive: true, force: true });
  });

  it.runIf(process.platform === 'linux')('is taken out of its image, and the container goes', async () => {
    engine(true);
    const file = join(cacheDir(), 'bin', `nats-server-${natsVersion}`, 'nats-server');
    expect(await natsServerBinary()).toBe(file);
    expect(readFileSync(file, 'utf8')).toBe('the server');
    expect(readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n')).toEqual([
      'info',
      `create nats:${natsVersion}`,
      'cp c0ffee:/nats-server',
      'rm c0ffee',
    ]);
  });

  it.runIf(process.platform === 'linux')('is missing where the image holds none, and the container goes', async () => {
    engine(true, false);
    await expect(natsServerBinary()).rejects.toThrow(MissingPrerequisite);
    expect(await whyNoNats()).toMatch(
      /^nats-server could not be taken out of its image: Error: Command failed: docker cp/,
    );
    expect(readFileSync(join(folder, 'asked'), 'utf8')).toMatch(/rm c0ffee\n$/);
    expect(readdirSync(cacheDir())).toEqual([]);
  });

  it('is missing where no engine answers, which is said and skips tests', async () => {
    engine(false);
    expect(await whyNoNats()).toMatch(/^nats-server 2\.11 or later is needed/);
  });
});
