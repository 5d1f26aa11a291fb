/** Every secret of a configuration as it is now, those in files read again when they change; for the censor of the log. */
import { valueAt } from '../config/issues.ts';
import { configSettings } from '../config/load.ts';
import type { Config } from '../config.ts';
import { silentLogger } from '../log.ts';
import { type Secret, secretFrom } from '../upstream/secret.ts';

const textAt = (config: Config, path: readonly PropertyKey[]): string | undefined => {
  const value = valueAt(config, path);
  return typeof value === 'string' ? value : undefined;
};

/** @throws CrossfadeError CONFIG_INVALID when a file cannot be read */
export const processSecrets = (config: Config): Secret[] =>
  configSettings
    .filter(({ secret }) => secret)
    .flatMap(({ path }) => {
      const file = textAt(config, [...path.slice(0, -1), `${String(path.at(-1))}File`]);
      // Whoever uses the secret tells that it was read again.
      return secretFrom(textAt(config, path), file, { logger: silentLogger() }) ?? [];
    });
