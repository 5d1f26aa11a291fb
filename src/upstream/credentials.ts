/**
 * Whose credentials a cluster sees. The application's own Authorization goes to the source unless the operator gave us
 * credentials for it, and never to the target unless asked for: a password of one cluster must not leak to another.
 */
import type { ClusterConfig } from '../config.ts';
import type { Side } from '../coordination/records.ts';
import type { Logger } from '../log.ts';
import { type HeaderPairs, withoutHeaders } from './header-pairs.ts';
import { type Secret, secretFrom } from './secret.ts';
import { createSigner, type Signer } from './sigv4.ts';

export type Credentials = {
  /** Headers of the application in, headers for the cluster out. */
  apply(headers: HeaderPairs): HeaderPairs;
  /** Present when each request must be signed with its body. */
  readonly sign: Signer | undefined;
};

const isCredential = (name: string): boolean =>
  name === 'authorization' ||
  name === 'cookie' ||
  name === 'x-amz-date' ||
  name === 'x-amz-security-token' ||
  name === 'x-amz-content-sha256';

const basic = (username: string, password: Secret): Secret => {
  let secret: string | undefined;
  let header = '';
  return () => {
    const current = password();
    if (current !== secret) {
      secret = current;
      header = `Basic ${Buffer.from(`${username}:${current}`, 'utf8').toString('base64')}`;
    }
    return header;
  };
};

/** The Authorization header of our own, when there is one that does not depend on the request. */
const ownAuthorization = (config: ClusterConfig, options: { logger: Logger }): Secret | undefined => {
  const apiKey = secretFrom(config.apiKey, config.apiKeyFile, options);
  if (apiKey !== undefined) return () => `ApiKey ${apiKey()}`;
  if (config.username === undefined) return undefined;
  return basic(config.username, secretFrom(config.password, config.passwordFile, options) ?? (() => ''));
};

const hasAuthorization = (headers: HeaderPairs): boolean =>
  headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'authorization');

/** @throws CrossfadeError CONFIG_INVALID when a secret file cannot be read. */
export const createCredentials = (config: ClusterConfig, options: { side: Side; logger: Logger }): Credentials => {
  const own = ownAuthorization(config, options);
  const sign = config.sigv4 === undefined ? undefined : createSigner(config.sigv4, options);
  const hasOwn = own !== undefined || sign !== undefined;
  const passClients = config.passClientCredentials ?? (options.side === 'source' && !hasOwn);
  const withOwn = (headers: HeaderPairs): HeaderPairs =>
    own === undefined ? headers : [...headers, 'authorization', own()];
  if (!passClients) return { sign, apply: (headers) => withOwn(withoutHeaders(headers, isCredential)) };
  if (sign !== undefined) return { sign, apply: (headers) => withoutHeaders(headers, isCredential) };
  if (own === undefined) return { sign, apply: (headers) => headers };
  return { sign, apply: (headers) => (hasAuthorization(headers) ? headers : withOwn(headers)) };
};
