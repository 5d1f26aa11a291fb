/**
 * The command tree, put together: what each part holds is in grammar/. Every command over the store has the same common
 * options and runs through run-command.ts; `agent`, `worker` and `operator` are processes and are passed in.
 */
import { Argument, Command, CommanderError } from 'commander';
import { exitCode, exitTable } from '../exit-codes.ts';
import { completionScript, type Shell, shells } from './completion.ts';
import { addCompare } from './grammar/compare.ts';
import { addDiscrepancies } from './grammar/discrepancies.ts';
import { addLeader } from './grammar/leader.ts';
import { commonOf, type ProgramDeps, type RunAction } from './grammar/options.ts';
import { addProcesses } from './grammar/processes.ts';
import { addRoutes } from './grammar/routes.ts';
import { addViews } from './grammar/views.ts';
import { errorJson, runCommand } from './run-command.ts';

/** Runs a parsed command line; the exit code is the result. */
export const runProgram = async (argv: readonly string[], deps: ProgramDeps): Promise<number> => {
  let exit = 0;
  const program = buildProgram(deps, (code) => {
    exit = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return usageExit(error, argv, deps);
    throw error;
  }
};

/** Commander has told the person already; a program gets the same as JSON. */
const usageExit = (
  { exitCode: code, message }: CommanderError,
  argv: readonly string[],
  { io }: ProgramDeps,
): number => {
  if (code === 0) return 0;
  if (argv.includes('--json'))
    io.out(errorJson({ exit: 'usage', code: 'USAGE', message: message.replace(/^error: /, '') }));
  return exitCode('usage');
};

/** `setExit` is called once per command that ran. */
export const buildProgram = (deps: ProgramDeps, setExit: (code: number) => void): Command => {
  const program = new Command('crossfade')
    .description('Moves an application from one OpenSearch index or cluster to another with no downtime.')
    .version(deps.version)
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for the options)')
    .addHelpText('after', helpOfExits())
    .exitOverride()
    .configureOutput({ writeOut: deps.io.out, writeErr: (text) => deps.io.note(text.trimEnd()) });
  const run: RunAction = (options, action, { mayBegin } = { mayBegin: false }) =>
    runCommand(deps, { configPath: options.config, mayBegin, run: action, options: commonOf(deps, options) }).then(
      setExit,
    );
  addProcesses(program, deps, setExit);
  addRoutes(program, run);
  addViews(program, run, deps);
  addDiscrepancies(program, run, deps);
  addLeader(program, run);
  addCompare(program, deps, setExit);
  program
    .command('completion')
    .description('print a completion script: source <(crossfade completion bash)')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: Shell) => deps.io.out(completionScript(program, shell)));
  return program;
};

const helpOfExits = (): string =>
  `\nExit codes:\n${Object.values(exitTable)
    .map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`)
    .join('\n')}`;
