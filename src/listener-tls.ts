/** Certificates of a listener, read again when the files change so that a renewed certificate needs no restart. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { SecureContextOptions, Server } from 'node:tls';
import type { Config } from './config.ts';
import { CrossfadeError } from './errors.ts';
import type { Logger } from './log.ts';

export type ListenerTls = NonNullable<Config['tls']>;

/** @throws CrossfadeError CONFIG_INVALID when a file cannot be read. */
export const loadTls = ({ certFile, keyFile, caFile }: ListenerTls): SecureContextOptions => {
  try {
    const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) };
    return { cert: readFileSync(certFile), key: readFileSync(keyFile), ...ca, minVersion: 'TLSv1.2' };
  } catch (cause) {
    throw new CrossfadeError('CONFIG_INVALID', 'A certificate file of the listener cannot be read.', { cause });
  }
};

/** Calls back after a change of any of the files. Returns the way to stop. */
const watchTls = (tls: ListenerTls, onChange: () => void): (() => void) => {
  const files = [tls.certFile, tls.keyFile, ...(tls.caFile === undefined ? [] : [tls.caFile])];
  for (const file of files) watchFile(file, { interval: 5000, persistent: false }, onChange);
  return () => {
    for (const file of files) unwatchFile(file, onChange);
  };
};

/** Connections go on, and new ones get the certificates that stand in the files. Returns the way to stop. */
export const followTls = (server: Pick<Server, 'setSecureContext'>, tls: ListenerTls, logger: Logger): (() => void) =>
  watchTls(tls, () => {
    try {
      server.setSecureContext(loadTls(tls));
      logger.info({ certFile: tls.certFile }, 'listener certificate read again');
    } catch (err) {
      logger.error({ err }, 'listener certificate cannot be read, the last one stays in force');
    }
  });
