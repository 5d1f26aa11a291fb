/** What the leader is asked for: switches of authority, pauses, verification and repair. */
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { type LeaderCommand, runLeaderCommand } from '../commands/leader.ts';
import { idOf, type Options, type RunAction, whole, withWait } from './options.ts';

const descriptions: Record<Exclude<LeaderCommand, 'rehearse' | 'verify' | 'repair'>, string> = {
  advance: 'go to the next stage; in dual with a complete backfill this is the cutover',
  rollback: 'make the source the authority again',
  abort: 'give up a switch of authority that is under way',
  pause: 'pause backfill, sweep and automatic steps',
  resume: 'go on after a pause',
  finalize: 'end the migration: the source is write-blocked and no rollback is possible',
};

/** Counts look at no document: who asks for a sample of them expects a comparison. */
const verifyArgs = (mode: string | undefined, sample: number | undefined): Record<string, unknown> => {
  if (sample === undefined) return { mode };
  if (mode === 'count') throw new CliError('usage', '--sample needs --mode stamp, hash or full');
  return { mode, sample };
};

type DocumentFlags = { id: string[] | undefined; routing: string | undefined; force: boolean };
const repairArgs = ({ id, routing, force }: DocumentFlags): Record<string, unknown> => {
  if (id === undefined && routing !== undefined) throw new CliError('usage', '--routing says where an --id is');
  return {
    ...(id === undefined ? { all: true } : { ids: id }),
    ...(routing === undefined ? {} : { routing }),
    ...(force ? { force } : {}),
  };
};

export const addLeader = (program: Command, run: RunAction): void => {
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
    .option('--sample <n>', 'documents to look at instead of all; not with mode count', whole)
    .action((slug: string, { wait = false, timeout: timeoutSeconds, mode, sample, ...options }: Options) =>
      run(options, (context) =>
        runLeaderCommand(context, 'verify', {
          slug,
          wait,
          timeoutSeconds,
          args: verifyArgs(mode, sample),
        }),
      ),
    );
  withWait(program.command('repair'))
    .description('bring documents of the follower in line with the authority')
    .argument('<route>')
    .option('--id <id>', 'only this document; may be given again', idOf)
    .option('--routing <value>', 'of the documents named by --id')
    .option('--force', 'overwrite also what is newer there than any copy, as a foreign writer leaves it')
    .action((slug: string, { wait = false, timeout: timeoutSeconds, ...rest }: Options) => {
      const { id, routing, force = false, ...options } = rest;
      return run(options, (context) =>
        runLeaderCommand(context, 'repair', { slug, wait, timeoutSeconds, args: repairArgs({ id, routing, force }) }),
      );
    });
};
