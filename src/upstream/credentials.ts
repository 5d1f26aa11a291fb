/**
 * Whose credentials a cluster sees. The application's own Authorization goes to the source unless the operator gave us
 * credentials for it, and never to the target unless asked for: a password of one cluster must not leak to another.
 * Invariant: where clients are known by their own credentials, one that shows none is lent none of ours.
 */
import type { ClusterConfig } from '../config.ts';
import type { Side } from '../coordination/records.ts';
import type { Logger } from '../log.ts';
import { type HeaderPairs, withoutHeaders } from './header-pairs.ts';
import { type Secret, secretFrom } from './secret.ts';
import { createSigner, type Signer } from './sigv4.ts';

/** `client`: requests of the application. `own`: everything that Crossfade sends by itself. */
export type ClusterUse = 'client' | 'own';
export type CredentialOptions = { side: Side; logger: Logger; use?: ClusterUse | undefined };

export type Credentials = {
  /** Headers of the application in, headers for the cluster out. `ownAccount` as in UpstreamRequest. */
  apply(headers: HeaderPairs, ownAccount?: boolean): HeaderPairs;
  /** Present when each request must be signed with its body. */
  readonly sign: Signer | undefined;
};

const isCredential = (name: string): boolean =>
  name === 'authorization' ||
  name === 'cookie' ||
  name === 'x-proxy-user' ||
  name === 'x-proxy-roles' ||
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
export const createCredentials = (config: ClusterConfig, options: CredentialOptions): Credentials => {
  const own = ownAuthorization(config, options);
  const sign = config.sigv4 === undefined ? undefined : createSigner(config.sigv4, options);
  const hasOwn = own !== undefined || sign !== undefined;
  const passClients = config.passClientCredentials ?? (options.side === 'source' && !hasOwn);
  const withOwn = (headers: HeaderPairs): HeaderPairs =>
    own === undefined ? headers : [...headers, 'authorization', own()];
  const asOurselves = (headers: HeaderPairs): HeaderPairs => withOwn(withoutHeaders(headers, isCredential));
  if (!passClients || sign !== undefined) return { sign, apply: asOurselves };
  if (own === undefined) return { sign, apply: (headers) => headers };
  const keeps = (headers: HeaderPairs): boolean => options.use === 'client' || hasAuthorization(headers);
  return {
    sign,
    apply: (headers, ownAccount = false) => (!ownAccount && keeps(headers) ? headers : asOurselves(headers)),
  };
};
