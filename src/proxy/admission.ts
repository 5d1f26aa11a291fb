/**
 * From a parsed head to a request that may be carried out, or the refusal it gets: the listener's decisions in one pure
 * step. `asterisk` is answered by the listener itself, as there is no path to send on.
 */
import type { CrossfadeError } from '../errors.ts';
import { type Framing, frame } from './framing.ts';
import { scanRequestHeaders } from './headers.ts';
import { parseTarget, splitTarget, type Target } from './request-target.ts';

/** As node:http gives it, so that nothing need be copied. */
export type ParsedHead = {
  method?: string | undefined;
  url?: string | undefined;
  httpVersionMajor: number;
  httpVersionMinor: number;
  rawHeaders: readonly string[];
};

export type Admitted = {
  headers: string[];
  framing: Framing;
  target: Target;
  /** Another protocol was offered on this connection. */
  upgrade: boolean;
};

/** `isOwn`: does this `host:port` (lower case) name the listener that `head` arrived at? */
export const admit = <H extends ParsedHead>(
  head: H,
  isOwn: (authority: string, head: H) => boolean,
): Admitted | CrossfadeError => {
  const { method = '', url = '', httpVersionMajor, httpVersionMinor } = head;
  const scan = scanRequestHeaders(head.rawHeaders);
  const framing = frame(method, { major: httpVersionMajor, minor: httpVersionMinor }, scan);
  if (framing instanceof Error) return framing;
  const target = url.startsWith('/')
    ? splitTarget(url)
    : parseTarget({ method, target: url, host: scan.hosts[0], isOwn: (authority) => isOwn(authority, head) });
  if (target instanceof Error) return target;
  return { headers: scan.headers, framing, target, upgrade: scan.upgrade };
};
