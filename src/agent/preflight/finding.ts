/** One finding in the making: what was looked at is said once, level and reason for each outcome. Pure. */
import type { Finding, Level } from './facts.ts';

export type Say = (level: Level, reason: string, todo?: string) => Finding;
export const about =
  (check: string, subject: string): Say =>
  (level, reason, todo) => ({
    check,
    level,
    about: subject,
    reason,
    ...(todo === undefined || level === 'ok' ? {} : { todo }),
  });
