/**
 * Who a client says it is, for sticky reads and canary lists: nothing is checked here, and no secret is given out. Pure
 * but for the digest.
 */
import { createHash } from 'node:crypto';

const userOfBasic = (credentials: string): string | undefined => {
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon > 0 ? text.slice(0, colon) : undefined;
};

/** User name of Basic credentials, `scheme:digest` of any other, undefined without credentials. */
export const principalOf = (authorization: string | undefined): string | undefined => {
  if (authorization === undefined) return undefined;
  const [, scheme = '', credentials = ''] = /^\s*(\S+)\s+(\S.*)$/.exec(authorization) ?? [];
  if (scheme === '') return undefined;
  if (scheme.toLowerCase() === 'basic') return userOfBasic(credentials);
  return `${scheme.toLowerCase()}:${createHash('sha256').update(credentials).digest('hex').slice(0, 16)}`;
};
