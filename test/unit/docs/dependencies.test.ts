import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { read, root, tableRows } from './files.ts';

const manifest = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
const rows = tableRows(read('docs/dependencies.md'));

describe('docs/dependencies.md', () => {
  it('lists exactly the runtime dependencies', () => {
    expect(rows.map(([name = '']) => name.replaceAll('`', ''))).toEqual(Object.keys(manifest.dependencies));
  });

  it('gives each a reason and a use', () => {
    for (const [, reason = '', use = ''] of rows) {
      expect(reason.length).toBeGreaterThan(10);
      expect(use).not.toBe('');
    }
  });

  it('promises exact versions, and package.json keeps it', () => {
    for (const version of Object.values(manifest.dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe('the bill of materials', () => {
  it('holds every runtime dependency in its version, and nothing that is for development only', () => {
    const text = execFileSync(process.execPath, [join(root, 'scripts/sbom.ts')], { encoding: 'utf8' });
    const { components } = JSON.parse(text) as { components: { name: string; version: string }[] };
    const listed = new Map(components.map(({ name, version }) => [name, version]));
    for (const [name, version] of Object.entries(manifest.dependencies)) expect(listed.get(name), name).toBe(version);
    expect([...listed.keys()].filter((name) => ['vitest', 'typescript', 'oxlint'].includes(name))).toEqual([]);
  });
});
