/**
 * The one command of `npm test`: format and lint, types, unit, integration on real services; then one line that says how
 * many tests passed and failed. Stops at the first stage that fails, because later ones would only repeat its cause.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bin = (name: string): string => join(import.meta.dirname, '..', 'node_modules', '.bin', name);
const run = (command: string, args: string[]): boolean => {
  process.stdout.write(`\n> ${[command.split('/').at(-1), ...args].join(' ')}\n`);
  return spawnSync(command, args, { stdio: 'inherit', cwd: join(import.meta.dirname, '..') }).status === 0;
};

const dir = mkdtempSync(join(tmpdir(), 'crossfade-test-'));
const totals = { passed: 0, failed: 0, skipped: 0 };

const vitest = (project: string): boolean => {
  const report = join(dir, `${project}.json`);
  const ok = run(bin('vitest'), [
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTotalTests } = JSON.parse(
      readFileSync(report, 'utf8'),
    ) as Record<string, number>;
    totals.passed += numPassedTests ?? 0;
    totals.skipped += numPendingTests ?? 0;
    // A file that cannot be loaded fails the run without a failed test.
    totals.failed += numFailedTests ?? 0;
    if (!ok && (numFailedTests ?? 0) === 0) totals.failed += 1;
    return ok && (numTotalTests ?? 0) > 0;
  } catch {
    totals.failed += 1;
    return false;
  }
};

const stage = (ok: boolean): boolean => {
  if (!ok && totals.failed === 0) totals.failed = 1;
  return ok;
};

const stages = [
  () => stage(run(bin('prettier'), ['--check', '.'])),
  () => stage(run(bin('oxlint'), [])),
  () => stage(run(bin('tsc'), ['-p', '.'])),
  () => vitest('unit'),
  () => vitest('integration'),
];
const ok = stages.every((next) => next());
rmSync(dir, { recursive: true, force: true });
process.stdout.write(
  `\n${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}\n`,
);
process.exitCode = ok ? 0 : 1;
