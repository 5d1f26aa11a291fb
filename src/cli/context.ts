/**
 * What every command gets and gives. A command is a function from its context to an outcome; printing, exit codes, JSON
 * and error texts are the same for all of them and live in run-command.ts.
 */

import type { CliConfig } from '../config.ts';
import type { Store } from '../coordination/ports.ts';
import type { Exit } from '../exit-codes.ts';
import type { CliIo } from './io.ts';

/** Options that every command understands. */
export type CommonOptions = {
  json: boolean;
  yes: boolean;
  dryRun: boolean;
  by: string;
  reason: string;
};

export type CliContext = {
  readonly io: CliIo;
  readonly options: CommonOptions;
  readonly config: CliConfig;
  readonly store: Store;
  /** A new unique id, for requests to the leader. */
  newId(): string;
};

export type Outcome = {
  /** For people; printed without --json. */
  readonly text: string;
  /** For programs; printed with --json. */
  readonly json: unknown;
  /** The sensible next command, without the program's name. */
  readonly next?: string | undefined;
  readonly exit?: Exit;
};
