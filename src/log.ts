/** The process logger: static messages, data in fields, errors under `err`, secrets removed by path. */
import { type Logger, pino } from 'pino';

export type { Logger };
export const createLogger = (options: { level: string; member?: string }): Logger =>
  pino({
    level: options.level,
    base: options.member === undefined ? null : { member: options.member },
    redact: {
      paths: ['headers.authorization', 'headers.cookie', '*.password', '*.token', '*.apiKey'],
      censor: '[redacted]',
    },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
export const silentLogger = (): Logger => pino({ level: 'silent' });
