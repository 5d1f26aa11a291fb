/**
 * The command tree: names, arguments, options and help, in one place. Every command over the store has the same common
 * options and runs through run-command.ts; `agent`, `worker` and `operator` are processes and are passed in.
 */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { AdminConfig } from '../config.ts';
import { exitCode, exitTable } from '../exit-codes.ts';
import { type AdminClient, createAdminClient } from './admin-client.ts';
import { apply } from './commands/apply.ts';
import { audit } from './commands/audit.ts';
import { type CompareChoice, compareFiles, profileSchema } from './commands/compare.ts';
import { discrepancies, replayDiscrepancy, showDiscrepancy } from './commands/discrepancies.ts';
import { doctor, type Preflight } from './commands/doctor.ts';
import { type LeaderCommand, runLeaderCommand, runPhase } from './commands/leader.ts';
import { routeDelete, routeReset, routeSet } from './commands/route.ts';
import { members, status, watchStatus } from './commands/status.ts';
import { CliError } from './cli-error.ts';
import { completionScript, type Shell, shells } from './completion.ts';
import type { CliContext, CommonOptions } from './context.ts';
import { type CliDeps, errorJson, type Run, runCommand, runOffline } from './run-command.ts';

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

type Options = Partial<CommonOptions> & {
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
  force?: boolean;
};

type OperatorFlags = { namespace?: string; kubeApi?: string; every?: number };
type Compare = Omit<CompareChoice, 'authority' | 'other'> & { schema?: boolean };

const positive = (text: string): number => {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a number above 0 is expected.');
  return value;
};
const collect = (text: string, list: string[] = []): string[] => [...list, text];

const withCommon = (command: Command): Command =>
  command
    .option('--config <file>', 'configuration file (CROSSFADE_CONFIG)')
    .option('--json', 'print JSON for programs');
const withChange = (command: Command): Command =>
  withCommon(command)
    .option('--yes', 'do not ask for confirmation')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--by <name>', 'who asks, for the audit (CROSSFADE_ACTOR)')
    .option('--reason <text>', 'why, for the audit');
const withWait = (command: Command): Command =>
  withChange(command)
    .option('--wait', 'wait for the end; the exit code tells how it ended')
    .option('--timeout <seconds>', 'longest wait', positive);

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
  const run = (options: Options, action: Run) => invoke(deps, options, action).then(setExit);
  addProcesses(program, deps, setExit);
  addRoutes(program, run);
  addViews(program, run, deps);
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

const invoke = (deps: ProgramDeps, options: Options, run: Run): Promise<number> =>
  runCommand(deps, {
    configPath: options.config,
    run,
    options: commonOf(deps, options),
  });

const commonOf = (deps: ProgramDeps, options: Options): CommonOptions => ({
  json: options.json ?? false,
  yes: options.yes ?? false,
  dryRun: options.dryRun ?? false,
  by: options.by ?? (deps.env['CROSSFADE_ACTOR'] || deps.userName),
  reason: options.reason ?? '',
});

type RunAction = (options: Options, action: Run) => Promise<void>;

/** Needs no configuration and no store. */
const addCompare = (program: Command, deps: ProgramDeps, setExit: (code: number) => void): void => {
  program
    .command('compare')
    .description('what the shadow comparison makes of two answers in files, and why')
    .argument('[authority]', "the authority's answer, as curl wrote it")
    .argument('[other]', "the other side's")
    .option('--profile <file>', 'comparison rules, or a route file that holds them')
    .option('--request <file>', "the request's body; sort, size and aggregations decide what counts")
    .option('--path <path>', 'path and parameters of the request')
    .option('--api <name>', 'search, msearch, get, ...; default told by the answer')
    .option('--rename <name=name>', 'an index name and what both sides call it; may be given again', collect)
    .option('--schema', 'print the JSON schema of a profile and end')
    .option('--json', 'print JSON for programs')
    .action(async (authority: string | undefined, other: string | undefined, options: Options & Compare) =>
      setExit(
        await runOffline(deps.io, commonOf(deps, options), () => {
          if (options.schema) return profileSchema();
          if (authority === undefined || other === undefined) throw new CliError('usage', 'compare takes two files');
          return compareFiles({ ...options, authority, other });
        }),
      ),
    );
};

const addProcesses = (program: Command, deps: ProgramDeps, setExit: (code: number) => void): void => {
  const add = (name: string, about: string, start: (options: ProcessOptions) => Promise<number>) =>
    program
      .command(name)
      .description(about)
      .option('--config <file>', 'configuration file (CROSSFADE_CONFIG)')
      .action(async ({ config }: Options) =>
        setExit(await start({ configPath: config ?? deps.env['CROSSFADE_CONFIG'] })),
      );
  add('agent', 'serve the application and take part in its migrations', deps.runAgent);
  add('worker', 'help with backfills, without serving the application', deps.runWorker);
  program
    .command('operator')
    .description('keep the routes of a Kubernetes namespace as its Migration resources say')
    .option('--config <file>', 'configuration file (CROSSFADE_CONFIG)')
    .option('--namespace <name>', 'where the resources are (POD_NAMESPACE)')
    .option('--kube-api <url>', 'the API server, for example through kubectl proxy; default: that of the pod')
    .option('--every <seconds>', 'how often to look', positive, 5)
    .action(async ({ config, namespace, kubeApi, every = 5 }: Options & OperatorFlags) => {
      const configPath = config ?? deps.env['CROSSFADE_CONFIG'];
      setExit(await deps.runOperator({ configPath, namespace, kubeApi, everySeconds: every }));
    });
};

const addRoutes = (program: Command, run: RunAction): void => {
  withChange(program.command('apply'))
    .description('put route files into the store')
    .requiredOption('-f, --file <file>', 'YAML or JSON, one or more routes; - reads stdin')
    .action((options: Options) => run(options, (context) => apply(context, { file: options.file ?? '-' })));
  const route = program.command('route').description('the settings of a route that people turn');
  withChange(route.command('set'))
    .description('products.pct.read 25, .pct.shadow, .pct.write, .stop on|off, .rate <docs/s>|pause')
    .argument('<setting>')
    .argument('<value>')
    .action((name: string, value: string, options: Options) =>
      run(options, (context) => routeSet(context, { name, value })),
    );
  withChange(route.command('reset'))
    .description('bring all reads home: percentages and stop back to their defaults')
    .argument('<route>')
    .action((slug: string, options: Options) => run(options, (context) => routeReset(context, { slug })));
  withChange(route.command('delete'))
    .description('remove a route that is off from the store')
    .argument('<route>')
    .action((slug: string, options: Options) => run(options, (context) => routeDelete(context, { slug })));
  withWait(program.command('phase'))
    .description('move a route to off, observe or dual; waits unless no agent runs')
    .option('--no-wait', 'leave the request and return')
    .argument('<route>')
    .argument('<phase>')
    .action((slug: string, to: string, { wait, timeout: timeoutSeconds, ...options }: Options) =>
      run(options, (context) => runPhase(context, { slug, to, wait, timeoutSeconds })),
    );
};

const adminClient = (deps: ProgramDeps, { token, tokenFile }: AdminConfig): AdminClient =>
  createAdminClient({ url: deps.env['CROSSFADE_ADMIN_URL'] || undefined, token, tokenFile });

const addDiscrepancies = (program: Command, run: RunAction, deps: ProgramDeps): void => {
  const group = program.command('discrepancies').description('mismatches that shadow reads found');
  const asking = (command: Command): Command =>
    withCommon(command).option('--pods', 'ask the agents, also where samples are in a stream');
  const admin = (context: CliContext): AdminClient => adminClient(deps, context.config.admin);
  asking(group.command('list', { isDefault: true }))
    .description('mismatches that shadow reads found, newest first; the word list may be left out')
    .argument('<route>')
    .option('--severity <S0..S9>', 'of this severity only')
    .option('--shape <fingerprint>', 'of this query shape only')
    .action((slug: string, { severity, shape, pods = false, ...options }: Options) =>
      run(options, (context) => discrepancies(context, { slug, severity, shape, pods, admin: admin(context) })),
    );
  asking(group.command('show'))
    .description('one of them: what was asked, what differs and why, both answers side by side')
    .argument('<id>')
    .option('--curl', 'also print the request as curl commands')
    .option('--rows <n>', 'rows of the answers to show', positive, 40)
    .action((id: string, { curl = false, rows = 40, pods = false, ...options }: Options) =>
      run(options, (context) => showDiscrepancy(context, { id, curl, rows, pods, admin: admin(context) })),
    );
  const addReplay = (parent: Command, about: string): Command =>
    withCommon(parent.command('replay'))
      .description(about)
      .argument('<id>')
      .option('--rows <n>', 'rows of the answers to show', positive, 40)
      .action((id: string, { rows = 40, ...options }: Options) =>
        run(options, (context) => replayDiscrepancy(context, { id, rows, admin: admin(context) })),
      );
  addReplay(group, 'ask both sides the same again, where the route allows it');
  addReplay(program, 'the same as discrepancies replay');
};

const addViews = (program: Command, run: RunAction, deps: ProgramDeps): void => {
  withCommon(program.command('status'))
    .description('what the fleet, or one route, is in')
    .argument('[route]')
    .option('--watch', 'live view until Ctrl-C')
    .action((slug: string | undefined, options: Options) =>
      run(options, (context) => (options.watch ? watchStatus : status)(context, { slug })),
    );
  withCommon(program.command('watch'))
    .description('the same as status --watch')
    .argument('[route]')
    .action((slug: string | undefined, options: Options) => run(options, (context) => watchStatus(context, { slug })));
  withCommon(program.command('members'))
    .description('the agents that run, with what they report')
    .action((options: Options) => run(options, members));
  withCommon(program.command('audit'))
    .description('who changed what, and why')
    .argument('<route>')
    .option('--last <n>', 'how many entries', positive)
    .action((slug: string, options: Options) =>
      run(options, (context) => audit(context, { slug, last: options.last ?? 50 })),
    );
  addDiscrepancies(program, run, deps);
  withCommon(program.command('doctor'))
    .description('what stands in the way of a migration')
    .argument('[route]')
    .action((slug: string | undefined, options: Options) =>
      run(options, (context) => doctor(context, { slug, preflight: deps.preflight })),
    );
};

const descriptions: Record<Exclude<LeaderCommand, 'rehearse' | 'verify' | 'repair'>, string> = {
  advance: 'go to the next stage; in dual with a complete backfill this is the cutover',
  rollback: 'make the source the authority again',
  abort: 'give up a switch of authority that is under way',
  pause: 'pause backfill, sweep and automatic steps',
  resume: 'go on after a pause',
  finalize: 'end the migration: the source is write-blocked and no rollback is possible',
};

const addLeader = (program: Command, run: RunAction): void => {
  for (const [name, about] of Object.entries(descriptions) as [keyof typeof descriptions, string][]) {
    const command = withWait(program.command(name)).description(about).argument('<route>');
    if (name === 'advance') command.option('--rehearse', 'do everything up to the commit, and release');
    command.action((slug: string, { wait = false, timeout: timeoutSeconds, rehearse, ...options }: Options) =>
      run(options, (context) =>
        runLeaderCommand(context, rehearse ? 'rehearse' : name, { slug, wait, timeoutSeconds }),
      ),
    );
  }
  withWait(program.command('verify'))
    .description('compare both sides')
    .argument('<route>')
    .addOption(new Option('--mode <mode>', 'how deep').choices(['count', 'stamp', 'hash', 'full']).default('count'))
    .option('--sample <n>', 'documents to look at instead of all', positive)
    .action((slug: string, { wait = false, timeout: timeoutSeconds, mode, sample, ...options }: Options) =>
      run(options, (context) =>
        runLeaderCommand(context, 'verify', {
          slug,
          wait,
          timeoutSeconds,
          args: { mode, ...(sample === undefined ? {} : { sample }) },
        }),
      ),
    );
  withWait(program.command('repair'))
    .description('bring documents of the follower in line with the authority')
    .argument('<route>')
    .option('--id <id>', 'only this document; may be given again', collect)
    .option('--force', 'overwrite also what is newer there than any copy, as a foreign writer leaves it')
    .action((slug: string, { wait = false, timeout: timeoutSeconds, id, force = false, ...options }: Options) =>
      run(options, (context) =>
        runLeaderCommand(context, 'repair', {
          slug,
          wait,
          timeoutSeconds,
          args: { ...(id === undefined ? { all: true } : { ids: id }), ...(force ? { force } : {}) },
        }),
      ),
    );
};
