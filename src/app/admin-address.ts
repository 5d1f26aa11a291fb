/**
 * The URL under which other members and the command line reach this process's admin listener. Pure. A listener on every
 * address is told with the pod's own; one on loopback is told as it is, and serves callers of this host only.
 */
import type { AdminConfig } from '../config.ts';

type Bound = { host: string; port: number };

const bracketed = (host: string): string => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);
const everyAddress = new Set(['0.0.0.0', '::']);

export const adminUrl = (config: AdminConfig, bound: Bound, podIp: string | undefined): string | undefined => {
  if (config.publicUrl !== undefined) return config.publicUrl;
  const host = everyAddress.has(bound.host) ? podIp : bound.host;
  if (host === undefined || host === '') return undefined;
  return `${config.tls === undefined ? 'http' : 'https'}://${bracketed(host)}:${bound.port}`;
};
