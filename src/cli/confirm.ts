/**
 * Asks before a step that cannot be taken back by one opposite command. Without a terminal nobody can answer, so a script
 * must say --yes; that is refused rather than assumed.
 */

import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';

export const confirm = async ({ io, options }: Pick<CliContext, 'io' | 'options'>, question: string): Promise<void> => {
  if (options.yes || options.dryRun) return;
  if (!io.interactive) throw new CliError('unconfirmed', `${question} Nobody can answer here; say --yes to go on.`);
  const answer = (await io.ask(`${question} [y/N] `)).trim().toLowerCase();
  if (answer !== 'y' && answer !== 'yes') throw new CliError('unconfirmed', 'Not confirmed; nothing was done.');
};
