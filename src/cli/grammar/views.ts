/** What people look at: status, members, audit and preflight. Nothing here changes anything. */
import type { Command } from 'commander';
import { audit } from '../commands/audit.ts';
import { doctor } from '../commands/doctor.ts';
import { members, status, watchStatus } from '../commands/status.ts';
import { type Options, type ProgramDeps, type RunAction, whole, withCommon } from './options.ts';

export const addViews = (program: Command, run: RunAction, deps: ProgramDeps): void => {
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
    .option('--last <n>', 'how many entries', whole)
    .action((slug: string, options: Options) =>
      run(options, (context) => audit(context, { slug, last: options.last ?? 50 })),
    );
  withCommon(program.command('doctor'))
    .description('what stands in the way of a migration')
    .argument('[route]')
    .action((slug: string | undefined, options: Options) =>
      run(options, (context) => doctor(context, { slug, preflight: deps.preflight })),
    );
};
