/**
 * A secret that stands in the configuration or in a file. Files are looked at again at most once a second and read again
 * when they changed, so a rotated password is used without a restart; a file that is gone for a moment (secrets are
 * swapped by renaming) leaves the last value in force.
 */
import { readFileSync, statSync } from 'node:fs';
import { CrossfadeError } from '../errors.ts';
import type { Logger } from '../log.ts';

/** The value as it is now. */
export type Secret = () => string;
type SecretOptions = { path: string; logger: Logger; now?: () => number; checkEveryMs?: number };

const fingerprint = (path: string): string => {
  const { mtimeMs, size, ino } = statSync(path);
  return `${mtimeMs}:${size}:${ino}`;
};
/** Editors and `kubectl create secret` leave a line break that is never part of the secret. */
const readSecret = (path: string): string => readFileSync(path, 'utf8').replace(/\r?\n$/, '');

/** @throws CrossfadeError CONFIG_INVALID when the file cannot be read at the start. */
export const fileSecret = ({ path, logger, now = Date.now, checkEveryMs = 1000 }: SecretOptions): Secret => {
  let seen: string;
  let value: string;
  let nextCheckMs = now() + checkEveryMs;
  let failing = false;
  try {
    seen = fingerprint(path);
    value = readSecret(path);
  } catch (cause) {
    throw new CrossfadeError('CONFIG_INVALID', `The secret file ${path} cannot be read.`, { cause });
  }
  const reload = (): void => {
    try {
      const current = fingerprint(path);
      if (current !== seen) {
        value = readSecret(path);
        seen = current;
        logger.info({ path }, 'secret file read again');
      }
      failing = false;
    } catch (err) {
      if (!failing) logger.warn({ path, err }, 'secret file cannot be read, the last value stays in force');
      failing = true;
    }
  };
  return () => {
    const nowMs = now();
    if (nowMs >= nextCheckMs) {
      nextCheckMs = nowMs + checkEveryMs;
      reload();
    }
    return value;
  };
};

/** The value given, else the file's, else undefined. */
export const secretFrom = (
  value: string | undefined,
  file: string | undefined,
  options: Omit<SecretOptions, 'path'>,
): Secret | undefined => {
  if (value !== undefined) return () => value;
  return file === undefined ? undefined : fileSecret({ path: file, ...options });
};
