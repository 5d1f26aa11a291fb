/** `forget`: an operator says that a process which could not say so itself is gone. */
import { forgetMember } from '../../fleet/forget-member.ts';
import { audited } from '../audited.ts';
import { confirm } from '../confirm.ts';
import type { CliContext, Outcome } from '../context.ts';

export const forget = async (context: CliContext, { member }: { member: string }): Promise<Outcome> => {
  const { store, options, newId } = context;
  const { dryRun } = options;
  await confirm(context, `Is the process of ${member} stopped? Whatever it still writes may be lost.`);
  const forgotten = await forgetMember(store, { member, newId, dryRun });
  for (const slug of Object.keys(forgotten)) await audited(context, { slug, what: `forget ${member}` });
  const routes = Object.keys(forgotten).join(', ');
  return {
    text: `${member} ${dryRun ? 'would be' : 'is'} forgotten${routes === '' ? '' : `: ${routes}`}`,
    json: { member, forgotten },
    next: 'members',
  };
};
