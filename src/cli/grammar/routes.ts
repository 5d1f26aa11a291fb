/** What people write: route files, percentages and other settings, and the phases without a switch of authority. */
import type { Command } from 'commander';
import { apply } from '../commands/apply.ts';
import { forget } from '../commands/forget.ts';
import { runPhase } from '../commands/leader.ts';
import { routeDelete, routeReset, routeSet } from '../commands/route.ts';
import { type Options, type RunAction, withChange, withWait } from './options.ts';

export const addRoutes = (program: Command, run: RunAction): void => {
  withChange(program.command('apply'))
    .description('put route files into the store')
    .requiredOption('-f, --file <file>', 'YAML or JSON, one or more routes; - reads stdin')
    .action((options: Options) =>
      run(options, (context) => apply(context, { file: options.file ?? '-' }), {
        mayBegin: options.dryRun !== true,
      }),
    );
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
  withChange(program.command('forget'))
    .description('say that the process of a member is stopped that was lost and could not say so itself')
    .argument('<member>')
    .action((member: string, options: Options) => run(options, (context) => forget(context, { member })));
  withWait(program.command('phase'))
    .description('move a route to off, observe or dual; waits unless no agent runs')
    .option('--no-wait', 'leave the request and return')
    .argument('<route>')
    .argument('<phase>')
    .action((slug: string, to: string, { wait, timeout: timeoutSeconds, ...options }: Options) =>
      run(options, (context) => runPhase(context, { slug, to, wait, timeoutSeconds })),
    );
};
