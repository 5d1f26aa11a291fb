/**
 * What the commands share: the options that several of them take, how their values are read, and the ways in which a
 * command is run. One grammar: an option means the same wherever it stands.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { longestMs } from '../../coordination/durations.ts';
import type { CommonOptions } from '../context.ts';
import type { Preflight } from '../commands/doctor.ts';
import type { CliDeps, Run } from '../run-command.ts';

export type ProcessOptions = { configPath: string | undefined };
export type OperatorProcessOptions = ProcessOptions & {
  namespace: string | undefined;
  kubeApi: string | undefined;
  everySeconds: number;
};
export type ProgramDeps = CliDeps & {
  version: string;
  /** Name of the person at the shell, for the audit. */
  userName: string;
  preflight: Preflight;
  runAgent(options: ProcessOptions): Promise<number>;
  runWorker(options: ProcessOptions): Promise<number>;
  runOperator(options: OperatorProcessOptions): Promise<number>;
};

export type Options = Partial<CommonOptions> & {
  config?: string;
  wait?: boolean;
  timeout?: number;
  watch?: boolean;
  rehearse?: boolean;
  file?: string;
  last?: number;
  severity?: string;
  shape?: string;
  pods?: boolean;
  curl?: boolean;
  rows?: number;
  mode?: string;
  sample?: number;
  id?: string[];
  routing?: string;
  force?: boolean;
};

/** `mayBegin`: the command is the first that a new store sees; all others look for what is there. */
export type RunAction = (options: Options, action: Run, store?: { mayBegin: boolean }) => Promise<void>;

export const positive = (text: string): number => {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a number above 0 is expected.');
  return value;
};
/** Of times that a timer waits for. */
export const timerSeconds = (text: string): number => {
  const value = positive(text);
  if (value * 1000 > longestMs) throw new InvalidArgumentError(`at most ${longestMs / 1000} seconds are expected.`);
  return value;
};
/** Of things that are counted. */
export const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value <= 0) throw new InvalidArgumentError('a whole number above 0 is expected.');
  return value;
};
export const collect = (text: string, list: string[] = []): string[] => [...list, text];
export const idOf = (text: string, list?: string[]): string[] => {
  if (text === '') throw new InvalidArgumentError('no document has an empty id.');
  return collect(text, list);
};

export const withCommon = (command: Command): Command =>
  command
    .option('--config <file>', 'configuration file (CROSSFADE_CONFIG)')
    .option('--json', 'print JSON for programs');
export const withChange = (command: Command): Command =>
  withCommon(command)
    .option('--yes', 'do not ask for confirmation')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--by <name>', 'who asks, for the audit (CROSSFADE_ACTOR)')
    .option('--reason <text>', 'why, for the audit');
export const withWait = (command: Command): Command =>
  withChange(command)
    .option('--wait', 'wait for the end; the exit code tells how it ended')
    .option('--timeout <seconds>', 'longest wait', positive);

export const commonOf = (deps: ProgramDeps, options: Options): CommonOptions => ({
  json: options.json ?? false,
  yes: options.yes ?? false,
  dryRun: options.dryRun ?? false,
  by: options.by ?? (deps.env['CROSSFADE_ACTOR'] || deps.userName),
  reason: options.reason ?? '',
});
