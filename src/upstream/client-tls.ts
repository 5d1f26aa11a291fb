/**
 * What connections to a cluster are secured with. Certificates stand in files and are read again when these change, so a
 * renewed one is used by the next connection. Files that do not fit together, as for a moment within a renewal, leave the
 * last ones in force.
 */
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsClient } from '../config.ts';
import { CrossfadeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type Secret, secretFrom } from './secret.ts';
import type { TlsOptions } from './wire/open-socket.ts';

type Pems = { ca?: string; cert?: string; key?: string };
type Options = { logger: Logger; now?: () => number };

const pemsFrom = (tls: TlsClient | undefined, options: Options): (() => Pems) => {
  const entries: [keyof Pems, Secret | undefined][] = [
    ['ca', secretFrom(undefined, tls?.caFile, options)],
    ['cert', secretFrom(undefined, tls?.certFile, options)],
    ['key', secretFrom(undefined, tls?.keyFile, options)],
  ];
  return () => Object.fromEntries(entries.flatMap(([name, secret]) => (secret ? [[name, secret()]] : [])));
};

const contextOf = (pems: Pems): SecureContext => {
  try {
    return createSecureContext(pems);
  } catch (cause) {
    throw new CrossfadeError('CONFIG_INVALID', 'The certificates for a cluster cannot be used.', { cause });
  }
};

/** The value as it is now. @throws CrossfadeError CONFIG_INVALID, at once, when a file cannot be read or used. */
export const clientTls = (tls: TlsClient | undefined, options: Options): (() => TlsOptions) => {
  const pems = pemsFrom(tls, options);
  let seen = pems();
  let current: TlsOptions = {
    rejectUnauthorized: tls?.verify ?? true,
    secureContext: contextOf(seen),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  };
  const reload = (now: Pems): void => {
    seen = now;
    try {
      current = { ...current, secureContext: contextOf(now) };
      options.logger.info('certificates for a cluster read again');
    } catch (err) {
      options.logger.warn({ err }, 'certificates for a cluster cannot be used, the last ones stay in force');
    }
  };
  return () => {
    const now = pems();
    if (now.ca !== seen.ca || now.cert !== seen.cert || now.key !== seen.key) reload(now);
    return current;
  };
};
