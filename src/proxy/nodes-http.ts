/**
 * Keeps sniffing clients on the sidecar: answers that list the HTTP addresses of nodes (`/_nodes`, `/_nodes/http`,
 * `/_nodes/{ids}/http`, ...) get the sidecar's address for every node, else a client would learn the cluster's addresses
 * and go round us. Everything else in the answer keeps its bytes. Pure.
 */
import { applyEdits, type Edit, eachMember, members, skipSpace } from '../json/scan.ts';

/** Sub-resources of `/_nodes` that hold no addresses of the HTTP layer. */
const withoutAddresses: ReadonlySet<string> = new Set([
  'stats',
  'usage',
  'hot_threads',
  'hotthreads',
  'reload_secure_settings',
]);

/** True for requests whose answer may hold `http.publish_address`. `path` is raw: the cluster matches before it decodes. */
export const listsNodes = (method: string, path: string): boolean => {
  if (method !== 'GET' || !path.startsWith('/_nodes')) return false;
  const [, root, ...rest] = path.split('/');
  return root === '_nodes' && !rest.some((segment) => withoutAddresses.has(segment));
};

/** `host:port` as a client may use it: a name, an IPv4 or a bracketed IPv6 address. */
const hostPattern = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::(\d{1,5}))?$/i;

export type Listening = {
  /** `host:port`, told to clients that gave no usable Host. */
  address: string;
  /** Meant by a Host without one. */
  defaultPort: 80 | 443;
};

/** The address the client itself used, when that is an address; else where the listener stands. */
export const advertisedAddress = (host: string | undefined, { address, defaultPort }: Listening): string => {
  const match = host === undefined ? null : hostPattern.exec(host);
  if (match === null || host === undefined) return address;
  return match[1] === undefined ? `${host}:${defaultPort}` : host;
};

const httpEdits = (body: Buffer, httpAt: number, address: string): Edit[] => {
  if (body[skipSpace(body, httpAt)] !== 0x7b) return [];
  const { publish_address: publish, bound_address: bound } = members(body, httpAt, [
    'publish_address',
    'bound_address',
  ]);
  const edits: Edit[] = [];
  if (publish !== undefined) edits.push({ ...publish, text: JSON.stringify(address) });
  if (bound !== undefined) edits.push({ ...bound, text: JSON.stringify([address]) });
  return edits.sort((a, b) => a.start - b.start);
};

/**
 * The answer with the sidecar's address for every node; undefined when it is no JSON object of nodes and must pass as it is.
 */
export const rewriteNodes = (body: Buffer, address: string): Buffer | undefined => {
  try {
    const { nodes } = members(body, 0, ['nodes']);
    if (nodes === undefined || body[nodes.start] !== 0x7b) return undefined;
    const edits: Edit[] = [];
    eachMember(body, nodes.start, (_, node) => {
      if (body[node.start] !== 0x7b) return;
      const { http } = members(body, node.start, ['http']);
      if (http !== undefined) edits.push(...httpEdits(body, http.start, address));
    });
    return applyEdits(body, edits);
  } catch {
    return undefined;
  }
};
