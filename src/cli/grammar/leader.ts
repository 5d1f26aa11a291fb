/** What the leader is asked for: switches of authority, pauses, verification and repair. */
import { type Command, Option } from 'commander';
import { type LeaderCommand, runLeaderCommand } from '../commands/leader.ts';
import { collect, type Options, positive, type RunAction, withWait } from './options.ts';

const descriptions: Record<Exclude<LeaderCommand, 'rehearse' | 'verify' | 'repair'>, string> = {
  advance: 'go to the next stage; in dual with a complete backfill this is the cutover',
  rollback: 'make the source the authority again',
  abort: 'give up a switch of authority that is under way',
  pause: 'pause backfill, sweep and automatic steps',
  resume: 'go on after a pause',
  finalize: 'end the migration: the source is write-blocked and no rollback is possible',
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
