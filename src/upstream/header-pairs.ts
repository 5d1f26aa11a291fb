/**
 * Header lists as flat name, value pairs, the form in which connections give and take them without joining or
 * dropping repeated names. Here stands which names belong to one connection only and must not be passed on
 * (RFC 9110 7.6.1), and how pairs become the record that buffered answers carry.
 */
export type HeaderPairs = readonly string[];
export type HeaderRecord = Record<string, string | string[]>;

const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  // Not hop-by-hop by the letter, but it would lead the client to another port than the sidecar's.
  'alt-svc',
]);

/** `name` in lower case. */
export const isHopByHop = (name: string): boolean => hopByHop.has(name);

/** Tokens of Connection headers, lower case, that name further headers of this hop. */
export const connectionOptions = (value: string): string[] =>
  value
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '' && token !== 'close' && token !== 'keep-alive');

export const withoutHeaders = (pairs: HeaderPairs, drop: (lowerName: string) => boolean): string[] => {
  const kept: string[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i] as string;
    if (!drop(name.toLowerCase())) kept.push(name, pairs[i + 1] as string);
  }
  return kept;
};

/** Lower-case names; a repeated name has an array of its values in order. Names like `__proto__` stay plain data. */
export const toRecord = (pairs: HeaderPairs): HeaderRecord => {
  const record: HeaderRecord = Object.create(null);
  for (let i = 0; i < pairs.length; i += 2) {
    const name = (pairs[i] as string).toLowerCase();
    const value = pairs[i + 1] as string;
    const before = record[name];
    if (before === undefined) record[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else record[name] = [before, value];
  }
  return record;
};

export const toPairs = (headers: Readonly<Record<string, string | readonly string[] | undefined>>): string[] => {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    for (const one of typeof value === 'string' ? [value] : value) pairs.push(name, one);
  }
  return pairs;
};

/** Names a request must not carry to a cluster because the transport sets them itself, or that end at this hop. */
export const isSetByTransport = (name: string): boolean =>
  isHopByHop(name) || name === 'host' || name === 'content-length' || name === 'expect';
