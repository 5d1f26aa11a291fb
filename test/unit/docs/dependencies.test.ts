import { describe, expect, it } from 'vitest';
import { read, tableRows } from './files.ts';

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
