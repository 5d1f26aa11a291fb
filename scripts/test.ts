/**
 * The one command of `npm test`: format and lint, types, unit, simulation, integration on real services; then one line
 * that says how many tests passed and failed. Stops at the first stage that fails, because later ones would only repeat its cause.
 * What integration tests start is fetched meanwhile: on a new machine that is minutes of waiting for others.
 *
 * Integration tests mostly wait: for leases, refreshes, processes that start. The simulation, which needs nothing but CPU,
 * runs beside them with less of a claim to it, and tells what it has to tell at its end.
 *
 * Integration tests share two cores with two clusters. Files that fail are run once more, alone: what fails again has
 * failed; what passes is named at the end as unsteady, which is a bug of the test or of the product, to be looked into.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { startFetching } from './fetching.ts';
import { looseErrorsVariable, readLoose } from './loose-errors.ts';
import { failedFiles, failedTests, readReport, type Report } from './test-report.ts';

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);
const shown = (command: string, args: string[]): string => `\n> ${[command.split('/').at(-1), ...args].join(' ')}\n`;
const run = async (command: string, args: string[], env: Record<string, string> = {}): Promise<boolean> => {
  process.stdout.write(shown(command, args));
  const [code] = await once(
    spawn(command, args, { stdio: 'inherit', cwd: root, env: { ...process.env, ...env } }),
    'close',
  );
  return code === 0;
};

/** In the room that others leave; what it says comes in one piece, so that it does not get between their lines. */
const runBeside: typeof run = async (command, args, env = {}) => {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: root,
    env: { ...process.env, ...env },
  });
  if (child.pid !== undefined) setPriority(child.pid, niceness);
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  process.stdout.write(shown(command, args) + said);
  return code === 0;
};
const all = async (...running: Promise<boolean>[]): Promise<boolean> => !(await Promise.all(running)).includes(false);

/** A tenth of the CPU where both want all of it: enough to be heard of. */
const niceness = 10;
/** More failing files than this are no accident of timing. */
const maxFilesAgain = 3;
const dir = mkdtempSync(join(tmpdir(), 'crossfade-test-'));
const totals = { passed: 0, failed: 0, skipped: 0 };
const unsteady: string[] = [];

/** `loose`: errors that no test caught; a second run without them says nothing of the first. */
type Ran = { ok: boolean; report: Report | undefined; loose: number };
type Wanted = { files?: readonly string[]; how?: typeof run };
const vitest = async (project: string, { files = [], how = run }: Wanted = {}): Promise<Ran> => {
  const outputFile = join(dir, `${project}-${files.length}.json`);
  const looseFile = join(dir, `${project}-${files.length}.loose`);
  const reporters = ['default', 'json', join(root, 'scripts', 'loose-errors.ts')].map((name) => `--reporter=${name}`);
  const alone = files.length > 0 ? ['--maxWorkers=1', ...files] : [];
  const args = ['run', '--project', project, ...reporters, `--outputFile.json=${outputFile}`, ...alone];
  const ok = await how(bin('vitest'), args, { [looseErrorsVariable]: looseFile });
  const report = readReport(outputFile);
  return { ok: ok && (report?.numTotalTests ?? 0) > 0, report, loose: readLoose(looseFile) };
};

const statusesOf = (report: Report | undefined, files?: readonly string[]): string[] =>
  (report?.testResults ?? [])
    .filter(({ name }) => files === undefined || files.includes(name))
    .flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));

/** `sign` -1 takes back what was counted. */
const count = (statuses: readonly string[], sign: 1 | -1 = 1): void => {
  for (const status of statuses) totals[status === 'passed' || status === 'failed' ? status : 'skipped'] += sign;
};

const stage =
  (project: 'unit' | 'sim', how = run) =>
  async (): Promise<boolean> => {
    const { ok, report } = await vitest(project, { how });
    count(statusesOf(report));
    return ok;
  };

const fetching = startFetching({
  script: join(root, 'test/support/services/fetch.ts'),
  say: (text) => void process.stdout.write(`\n${text}\n`),
});
// Its group hears no Ctrl-C by itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    fetching.stop();
    process.kill(process.pid, signal);
  });

const integration = async (): Promise<boolean> => {
  // What could not be fetched is said by the tests that need it.
  await fetching.done();
  const first = await vitest('integration');
  count(statusesOf(first.report));
  const files = first.report === undefined ? [] : failedFiles(first.report);
  if (first.ok || first.loose > 0 || files.length === 0 || files.length > maxFilesAgain) return first.ok;
  const again = await vitest('integration', { files });
  count(statusesOf(first.report, files), -1);
  count(statusesOf(again.report));
  if (again.ok && first.report !== undefined) unsteady.push(...failedTests(first.report));
  return again.ok;
};

const check = (): Promise<boolean> =>
  all(
    run(bin('prettier'), ['--check', '.']),
    run(bin('oxlint'), []),
    run(bin('tsc'), ['-p', '.']).then((ok) => ok && run(bin('tsc'), ['-p', 'dashboard'])),
  );

let ok = true;
const onServices = (): Promise<boolean> => all(integration(), stage('sim', runBeside)());
for (const next of [check, stage('unit'), onServices]) ok &&= await next();
fetching.stop();
// A stage without tests, or a file that cannot be loaded, fails the run without a failed test.
if (!ok && totals.failed === 0) totals.failed = 1;
rmSync(dir, { recursive: true, force: true });
for (const name of unsteady) process.stdout.write(`\nunsteady, passed only when run again alone: ${name}`);
const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed${skipped}\n`);
process.exitCode = ok ? 0 : 1;
