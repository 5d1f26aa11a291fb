/** The npm package as somebody would install it: packed, installed into an empty folder, its command called. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../support/services/prerequisites.ts';
import { read, root } from '../../unit/docs/files.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-package-'));
const tree = join(folder, 'tree');
const home = join(folder, 'home');
let files: string[] = [];

beforeAll(async () => {
  const { stdout: tracked } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    maxBuffer: 16 << 20,
  });
  for (const path of tracked.split('\0').filter((name) => name !== '' && !name.startsWith('test/'))) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    cpSync(join(root, path), join(tree, path));
  }
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: tree,
    maxBuffer: 16 << 20,
  });
  // The build that runs before it may say something first.
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as [{ filename: string; files: { path: string }[] }];
  files = packed.files.map(({ path }) => path);
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{}');
  const tarball = join(folder, packed.filename);
  await run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball], {
    cwd: home,
  });
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const crossfade = (...args: string[]) => run(join(home, 'node_modules/.bin/crossfade'), args, { cwd: home });

describe('the npm package', () => {
  it('is built when it is packed, and holds program, pages and manifests only', () => {
    for (const path of [
      'dist/main.js',
      'docs/start.md',
      'deploy/sidecar.yaml',
      'dashboard/main.js',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
    ])
      expect(files).toContain(path);
    expect(files).toContain('deploy/helm/crossfade/templates/_pod.tpl');
    expect(
      files.filter(
        (path) => !/^(dashboard|dist|docs|deploy)\/|^(README|CHANGELOG)\.md$|^LICENSE$|^package\.json$/.test(path),
      ),
    ).toEqual([]);
  });

  it('has a command that works where it is installed', async () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect((await crossfade('--version')).stdout.trim()).toBe(version);
    expect((await crossfade('--help')).stdout).toContain('agent');
  });

  it('says what is wrong and exits with 64 when an agent is not configured', async () => {
    await expect(crossfade('agent')).rejects.toMatchObject({ code: 64 });
  });
});
