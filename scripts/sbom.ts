/**
 * `npm run -s sbom`: the bill of materials (CycloneDX) of what is shipped, on stdout, from package-lock.json alone and
 * without a network. Not `npm sbom --omit dev`: that leaves out every package that a development tool needs too, undici
 * and yaml among them. So npm is given a copy of the two files that knows of no development.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Lock = { packages: Record<string, { dev?: boolean; devDependencies?: unknown }> };

const root = join(import.meta.dirname, '..');
const readJson = <T>(name: string): T => JSON.parse(readFileSync(join(root, name), 'utf8')) as T;

const shippedLock = (lock: Lock): Lock => ({
  ...lock,
  packages: Object.fromEntries(
    Object.entries(lock.packages)
      .filter(([, { dev }]) => dev !== true)
      .map(([path, { devDependencies: _, ...entry }]) => [path, entry]),
  ),
});

const folder = mkdtempSync(join(tmpdir(), 'crossfade-sbom-'));
try {
  const { devDependencies: _, ...shipped } = readJson<Record<string, unknown>>('package.json');
  writeFileSync(join(folder, 'package.json'), JSON.stringify(shipped));
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(shippedLock(readJson<Lock>('package-lock.json'))));
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  process.stdout.write(execFileSync('npm', args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
