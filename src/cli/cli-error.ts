/** An end of a command that its own code planned: an exit and a sentence for the person at the terminal. */
import { createCensor } from '../censor.ts';
import { isCrossfadeError } from '../errors.ts';
import { type Exit, exitOf } from '../exit-codes.ts';

export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exit: Exit;
  readonly next: string | undefined;
  constructor(exit: Exit, message: string, next?: string) {
    super(message);
    this.exit = exit;
    this.next = next;
  }
}

export type Failure = { exit: Exit; code: string; message: string; next: string | undefined };

/** Every way a command can fail, as one value. */
export const failureOf = (error: unknown): Failure => {
  if (error instanceof CliError) {
    return { exit: error.exit, code: error.exit, message: error.message, next: error.next };
  }
  if (isCrossfadeError(error)) {
    return { exit: exitOf(error.code), code: error.code, message: error.message, next: undefined };
  }
  return {
    exit: 'crashed',
    code: 'INTERNAL',
    message: createCensor()(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    next: undefined,
  };
};
