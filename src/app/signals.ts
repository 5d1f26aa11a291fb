/**
 * The ends of a process. The first SIGTERM or SIGINT asks it to drain, the second ends it at once; an error that nobody
 * planned for is logged and ends it too, because what it left half done is not known.
 */
import type { Logger } from '../log.ts';

const crashedExitCode = 70;
const signalNumbers = { SIGTERM: 15, SIGINT: 2 } as const;

/** Resolves at the first signal. */
export const firstSignal = (logger: Logger): Promise<keyof typeof signalNumbers> =>
  new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (asked) {
          logger.warn({ signal }, 'second signal, ending at once');
          process.exit(128 + signalNumbers[signal]);
        }
        asked = true;
        logger.info({ signal }, 'asked to end');
        resolve(signal);
      });
    }
  });

export const crashOnUnplanned = (logger: Logger): void => {
  const crash = (err: unknown): void => {
    logger.fatal({ err }, 'unplanned error');
    process.exit(crashedExitCode);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
};
