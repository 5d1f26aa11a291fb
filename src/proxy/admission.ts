/**
 * From a parsed head to a request that may be carried out, or the refusal it gets: the listener's decisions in one pure
 * step. `asterisk` is answered by the listener itself, as there is no path to send on.
 */
import type { CrossfadeError } from '../errors.ts';
import { type Framing, frame } from './framing.ts';
import { scanRequestHeaders } from './headers.ts';
import { parseTarget, type Target } from './request-target.ts';

export type ParsedHead = {
  method: string;
  target: string;
  versionMajor: number;
  versionMinor: number;
  rawHeaders: readonly string[];
};

export type Admitted = {
  headers: string[];
  framing: Framing;
  target: Target;
  /** Another protocol was offered on this connection. */
  upgrade: boolean;
};

export const admit = (head: ParsedHead, isOwn: (authority: string) => boolean): Admitted | CrossfadeError => {
  const { method, versionMajor, versionMinor } = head;
  const scan = scanRequestHeaders(head.rawHeaders);
  const framing = frame({ method, version: { major: versionMajor, minor: versionMinor }, scan });
  if (framing instanceof Error) return framing;
  const target = parseTarget({ method, target: head.target, host: scan.hosts[0], isOwn });
  if (target instanceof Error) return target;
  return { headers: scan.headers, framing, target, upgrade: scan.upgrade };
};
