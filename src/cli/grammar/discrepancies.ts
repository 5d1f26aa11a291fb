/** `discrepancies` and `replay`: mismatches, where they are kept. */
import { type Command, InvalidArgumentError } from 'commander';
import { severities } from '../../compare/types.ts';
import type { AdminConfig } from '../../config.ts';
import { type AdminClient, createAdminClient } from '../admin-client.ts';
import { discrepancies, replayDiscrepancy, showDiscrepancy } from '../commands/discrepancies.ts';
import type { CliContext } from '../context.ts';
import { type Options, type ProgramDeps, type RunAction, whole, withCommon } from './options.ts';

/** A slip of the pen must not read as "there is none". */
const severityOf = (text: string): string => {
  const severity = severities.find((known) => known === text.toUpperCase());
  if (severity === undefined) throw new InvalidArgumentError(`there are ${severities.join(', ')}.`);
  return severity;
};

const adminClient = (deps: ProgramDeps, { token, tokenFile }: AdminConfig): AdminClient =>
  createAdminClient({ url: deps.env['CROSSFADE_ADMIN_URL'] || undefined, token, tokenFile });

export const addDiscrepancies = (program: Command, run: RunAction, deps: ProgramDeps): void => {
  const group = program.command('discrepancies').description('mismatches that shadow reads found');
  const asking = (command: Command): Command =>
    withCommon(command).option('--pods', 'ask the agents, also where samples are in a stream');
  const admin = (context: CliContext): AdminClient => adminClient(deps, context.config.admin);
  asking(group.command('list', { isDefault: true }))
    .description('mismatches that shadow reads found, newest first; the word list may be left out')
    .argument('<route>')
    .option('--severity <S0..S9>', 'of this severity only', severityOf)
    .option('--shape <fingerprint>', 'of this query shape only')
    .action((slug: string, { severity, shape, pods = false, ...options }: Options) =>
      run(options, (context) => discrepancies(context, { slug, severity, shape, pods, admin: admin(context) })),
    );
  asking(group.command('show'))
    .description('one of them: what was asked, what differs and why, both answers side by side')
    .argument('<id>')
    .option('--curl', 'also print the request as curl commands')
    .option('--rows <n>', 'rows of the answers to show', whole, 40)
    .action((id: string, { curl = false, rows = 40, pods = false, ...options }: Options) =>
      run(options, (context) => showDiscrepancy(context, { id, curl, rows, pods, admin: admin(context) })),
    );
  const addReplay = (parent: Command, about: string): Command =>
    withCommon(parent.command('replay'))
      .description(about)
      .argument('<id>')
      .option('--rows <n>', 'rows of the answers to show', whole, 40)
      .action((id: string, { rows = 40, ...options }: Options) =>
        run(options, (context) => replayDiscrepancy(context, { id, rows, admin: admin(context) })),
      );
  addReplay(group, 'ask both sides the same again, where the route allows it');
  addReplay(program, 'the same as discrepancies replay');
};
