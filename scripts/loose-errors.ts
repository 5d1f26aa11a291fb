/**
 * A reporter of vitest that counts the errors which no test caught, as of a promise that nobody waited for: vitest fails for
 * them, and its JSON report does not hold them.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Names the file that the number goes to. */
export const looseErrorsVariable = 'CROSSFADE_LOOSE_ERRORS';

export default class LooseErrors {
  onTestRunEnd(_modules: unknown, errors: readonly unknown[]): void {
    const file = process.env[looseErrorsVariable];
    if (file !== undefined) writeFileSync(file, String(errors.length));
  }
}

/** None where nothing was written: then the run itself has ended early, and failed for that. */
export const readLoose = (file: string): number => {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
};
