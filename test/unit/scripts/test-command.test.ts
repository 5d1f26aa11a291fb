/** `npm test` itself, with tools that are told what to say: what fails twice fails, and what fails once is named. */
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { executableFolder } from '../../support/executables.ts';

type Status = 'passed' | 'failed' | 'skipped';
type Files = Record<string, Record<string, Status>>;
type Script = { unit: Files; sim?: Files; first: Files; again?: Files; loose?: number };

const root = join(import.meta.dirname, '..', '..', '..');
const folder = executableFolder('test-command');
const fine: Files = { u: { adds: 'passed' } };
const calm: Files = { s: { survives: 'passed' } };

/** Stands in for vitest: writes the report it was told and exits as vitest would. */
const vitest = `#!${process.execPath}
import { writeFileSync } from 'node:fs';
const args = process.argv.slice(2);
const script = JSON.parse(process.env.SCRIPT);
const project = args[args.indexOf('--project') + 1];
const files = script[project !== 'integration' ? project : args.includes('--maxWorkers=1') ? 'again' : 'first'];
const testResults = Object.entries(files).map(([name, tests]) => ({
  name,
  status: Object.values(tests).includes('failed') ? 'failed' : 'passed',
  assertionResults: Object.entries(tests).map(([fullName, status]) => ({ fullName, status })),
}));
const numTotalTests = testResults.flatMap(({ assertionResults }) => assertionResults).length;
const outputFile = args.find((arg) => arg.startsWith('--outputFile')).split('=')[1];
writeFileSync(outputFile, JSON.stringify({ numTotalTests, testResults }));
writeFileSync(process.env.CROSSFADE_LOOSE_ERRORS, String(project === 'integration' ? (script.loose ?? 0) : 0));
process.exit(testResults.some(({ status }) => status === 'failed') ? 1 : 0);
`;

const tool = (name: string, text: string): void => {
  const file = join(folder, 'node_modules', '.bin', name);
  writeFileSync(file, text);
  chmodSync(file, 0o755);
};

beforeAll(() => {
  for (const dir of ['scripts', 'node_modules/.bin']) mkdirSync(join(folder, dir), { recursive: true });
  for (const file of ['test.ts', 'test-report.ts', 'loose-errors.ts', 'fetching.ts'])
    copyFileSync(join(root, 'scripts', file), join(folder, 'scripts', file));
  for (const name of ['prettier', 'oxlint', 'tsc']) tool(name, '#!/bin/sh\nexit 0\n');
  tool('vitest', vitest);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const npmTest = ({ sim = calm, ...files }: Script): Promise<{ exit: number; lines: string[] }> =>
  new Promise((resolve) => {
    const env = { ...process.env, SCRIPT: JSON.stringify({ sim, ...files }) };
    const child = execFile(process.execPath, [join(folder, 'scripts', 'test.ts')], { env }, (_, out) =>
      resolve({ exit: child.exitCode ?? -1, lines: out.trimEnd().split('\n') }),
    );
  });

describe('npm test', () => {
  it('passes when everything passes, and says how many', async () => {
    const { exit, lines } = await npmTest({ unit: fine, first: { '/a': { reads: 'passed', later: 'skipped' } } });
    expect([exit, lines.at(-1)]).toEqual([0, '3 passed, 0 failed, 1 skipped']);
  });

  it('fails with a unit test, and runs neither simulation nor integration tests then', async () => {
    const { exit, lines } = await npmTest({ unit: { u: { adds: 'failed' } }, first: { '/a': { reads: 'passed' } } });
    expect([exit, lines.at(-1)]).toEqual([1, '0 passed, 1 failed']);
  });

  it('fails with the simulation, which runs beside the integration tests', async () => {
    const sim: Files = { s: { survives: 'failed' } };
    const { exit, lines } = await npmTest({ unit: fine, sim, first: { '/a': { reads: 'passed' } } });
    expect([exit, lines.at(-1)]).toEqual([1, '2 passed, 1 failed']);
  });

  it('fails with a test that fails again when its file is run alone', async () => {
    const failing: Files = { '/b': { writes: 'failed', reads: 'passed' } };
    const { exit, lines } = await npmTest({
      unit: fine,
      first: { '/a': { reads: 'passed' }, ...failing },
      again: failing,
    });
    expect([exit, lines.at(-1)]).toEqual([1, '4 passed, 1 failed']);
  });

  it('names a test that passes only when its file is run alone', async () => {
    const { exit, lines } = await npmTest({
      unit: fine,
      first: { '/a': { reads: 'passed' }, '/b': { writes: 'failed' } },
      again: { '/b': { writes: 'passed' } },
    });
    expect([exit, lines.at(-1)]).toEqual([0, '4 passed, 0 failed']);
    expect(lines).toContain('unsteady, passed only when run again alone: writes');
  });

  it('runs nothing again after an error that no test caught: who passes alone says nothing of it', async () => {
    const { exit, lines } = await npmTest({
      unit: fine,
      first: { '/b': { writes: 'failed' } },
      again: { '/b': { writes: 'passed' } },
      loose: 1,
    });
    expect([exit, lines.at(-1)]).toEqual([1, '2 passed, 1 failed']);
  });

  it('fails at once when too many files fail', async () => {
    const first = Object.fromEntries(['/a', '/b', '/c', '/d'].map((name) => [name, { reads: 'failed' as const }]));
    const { exit, lines } = await npmTest({ unit: fine, first, again: fine });
    expect([exit, lines.at(-1)]).toEqual([1, '2 passed, 4 failed']);
  });

  it('fails when no test was found', async () => {
    const { exit, lines } = await npmTest({ unit: fine, first: {} });
    expect([exit, lines.at(-1)]).toEqual([1, '2 passed, 1 failed']);
  });
});
