/**
 * Who may call the admin listener. Pure. Health, metrics and the empty page of the dashboard are open to whoever reaches
 * the port; everything else needs
 * the bearer token or a client certificate, or, while neither is configured, a caller on this host.
 * Changes must also come from our own origin: a page in an operator's browser can send requests to loopback, and a
 * foreign host name can be made to resolve to it, so Origin, Sec-Fetch-Site, Host and the content type are checked.
 */
import { CrossfadeError } from '../errors.ts';

export type AccessRequest = {
  /** Health, metrics or a file of the page, none of which holds what a route does. */
  open: boolean;
  method: string;
  /** The token in `Authorization: Bearer` equals the configured one; undefined when none was sent. */
  tokenMatches: boolean | undefined;
  /** The connection carries a client certificate that our CA signed. */
  certified: boolean;
  /** The caller's address is on this host. */
  local: boolean;
  host: string | undefined;
  origin: string | undefined;
  fetchSite: string | undefined;
  contentType: string | undefined;
};
export type AccessPolicy = {
  tokenConfigured: boolean;
  /** The listener takes connections from this host only. */
  loopbackOnly: boolean;
};

const reads = new Set(['GET', 'HEAD']);

export const isLoopbackAddress = (address: string): boolean =>
  /^(::ffff:)?127(\.\d{1,3}){3}$/.test(address) || address === '::1' || address === 'localhost';

/** Host name of a Host header or authority, without port and brackets. */
const hostName = (authority: string): string =>
  authority
    .replace(/:\d*$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();

const foreign = (why: string): CrossfadeError =>
  new CrossfadeError('FORBIDDEN', `The admin API refuses this request: ${why}.`);

/** A foreign page cannot see what it reads here, but it could hold the event stream open. */
const sameSite = ({ fetchSite }: AccessRequest): CrossfadeError | undefined =>
  fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none'
    ? undefined
    : foreign('it comes from another site');

const sameOrigin = ({ host, origin, contentType }: AccessRequest): CrossfadeError | undefined => {
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase()))
    return foreign('its origin is another host');
  // A form of a foreign page can be posted without asking first, JSON cannot.
  return contentType?.split(';')[0]?.trim().toLowerCase() === 'application/json'
    ? undefined
    : foreign('changes are sent as application/json');
};

const identified = (policy: AccessPolicy, request: AccessRequest): CrossfadeError | undefined => {
  if (request.certified) return undefined;
  if (policy.tokenConfigured) {
    if (request.tokenMatches === true) return undefined;
    return new CrossfadeError('UNAUTHORIZED');
  }
  if (!policy.loopbackOnly || !request.local) return foreign('it needs a token; set admin.token or admin.tokenFile');
  return isLoopbackAddress(hostName(request.host ?? '')) ? undefined : foreign('the host name is not this host');
};

/** Undefined when the request may go on. */
export const accessRefusal = (policy: AccessPolicy, request: AccessRequest): CrossfadeError | undefined => {
  if (request.open) return undefined;
  const refusal = identified(policy, request) ?? sameSite(request);
  if (refusal !== undefined || reads.has(request.method)) return refusal;
  return sameOrigin(request);
};
