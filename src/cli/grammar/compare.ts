/** `compare`: works on files alone. */
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { type CompareChoice, compareFiles, profileSchema } from '../commands/compare.ts';
import { runOffline } from '../run-command.ts';
import { collect, commonOf, type Options, type ProgramDeps } from './options.ts';

type Compare = Omit<CompareChoice, 'authority' | 'other'> & { schema?: boolean };

/** Needs no configuration and no store. */
export const addCompare = (program: Command, deps: ProgramDeps, setExit: (code: number) => void): void => {
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
