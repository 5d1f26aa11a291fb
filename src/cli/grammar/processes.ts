/** The long-running processes: `agent`, `worker` and `operator`. What they do is passed in. */
import type { Command } from 'commander';
import { configPathOf } from '../run-command.ts';
import { type Options, type ProcessOptions, type ProgramDeps, timerSeconds } from './options.ts';

type OperatorFlags = { namespace?: string; kubeApi?: string; every?: number };

export const addProcesses = (program: Command, deps: ProgramDeps, setExit: (code: number) => void): void => {
  const add = (name: string, about: string, start: (options: ProcessOptions) => Promise<number>) =>
    program
      .command(name)
      .description(about)
      .option('--config <file>', 'configuration file (CROSSFADE_CONFIG)')
      .action(async ({ config }: Options) => setExit(await start({ configPath: configPathOf(deps.env, config) })));
  add('agent', 'serve the application and take part in its migrations', deps.runAgent);
  add('worker', 'help with backfills, without serving the application', deps.runWorker);
  program
    .command('operator')
    .description('keep the routes of a Kubernetes namespace as its Migration resources say')
    .option('--config <file>', 'configuration file (CROSSFADE_CONFIG)')
    .option('--namespace <name>', 'where the resources are (POD_NAMESPACE)')
    .option('--kube-api <url>', 'the API server, for example through kubectl proxy; default: that of the pod')
    .option('--every <seconds>', 'how often to look', timerSeconds, 5)
    .action(async ({ config, namespace, kubeApi, every = 5 }: Options & OperatorFlags) => {
      const configPath = configPathOf(deps.env, config);
      setExit(await deps.runOperator({ configPath, namespace, kubeApi, everySeconds: every }));
    });
};
