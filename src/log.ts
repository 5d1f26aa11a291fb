/**
 * The process logger: JSON lines with static messages, data in fields, errors under `err`. Secrets are kept out at the root:
 * well-known fields are censored by path, and of an error only type, code, message, stack and causes are written, since
 * errors of HTTP and NATS clients carry whole requests with their headers. What still slips in is taken out of the line.
 */
import { type DestinationStream, type Logger, pino } from 'pino';
import { type Censor, createCensor } from './censor.ts';

export type { Logger };

type LoggedError = { type: string; code?: string; message: string; stack?: string | undefined; cause?: LoggedError };
const maxCauses = 5;

const loggedError = (error: unknown, depth = 0): LoggedError => {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    message: error.message,
    // The stack of a cause repeats the same frames; its own type and message tell what happened.
    ...(depth === 0 ? { stack: error.stack } : {}),
    ...(error.cause === undefined || depth >= maxCauses ? {} : { cause: loggedError(error.cause, depth + 1) }),
  };
};

const secretPaths = ['authorization', 'cookie', 'password', 'token', 'apiKey', 'secretAccessKey', 'sessionToken'];

export const createLogger = (
  options: { level: string; member?: string; censor?: Censor },
  destination: DestinationStream = pino.destination({ fd: 1, sync: true }),
): Logger =>
  pino(
    {
      level: options.level,
      base: options.member === undefined ? null : { member: options.member },
      serializers: { err: (error: unknown) => loggedError(error) },
      redact: { paths: secretPaths.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: { streamWrite: options.censor ?? createCensor() },
    },
    destination,
  );
export const silentLogger = (): Logger => pino({ level: 'silent' });
