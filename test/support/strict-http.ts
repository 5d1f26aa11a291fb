/**
 * Reads requests from bytes by the letter of RFC 9112 and stops at the first thing that is not exactly right: what the
 * listener passes on is held against it. Independent of every parser in use, on purpose.
 */
export type StrictRequest = { method: string; target: string; body: string };

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const startLine = /^([A-Z-]+) +([!-~]+) +HTTP\/1\.([01])$/;

type Head = { method: string; target: string; minor: string; fields: [string, string][] };

const parseHead = (text: string): Head | undefined => {
  const [first = '', ...lines] = text.split('\r\n');
  const [, method, target, minor] = startLine.exec(first) ?? [];
  if (method === undefined || target === undefined || minor === undefined) return undefined;
  const fields: [string, string][] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1);
    if (colon < 1 || !token.test(name) || !fieldValue.test(value)) return undefined;
    fields.push([name.toLowerCase(), value.replace(/^[\t ]+|[\t ]+$/g, '')]);
  }
  return { method, target, minor, fields };
};

const valuesOf = ({ fields }: Head, name: string): string[] => fields.filter(([n]) => n === name).map(([, v]) => v);

const parseChunks = (text: string): { body: string; length: number } | undefined => {
  let at = 0;
  let body = '';
  for (;;) {
    const line = /^([0-9A-Fa-f]{1,7})(;[^\r\n]*)?\r\n/.exec(text.slice(at));
    if (line === null) return undefined;
    const size = Number.parseInt(line[1] as string, 16);
    at += line[0].length;
    if (size === 0) break;
    if (text.slice(at + size, at + size + 2) !== '\r\n') return undefined;
    body += text.slice(at, at + size);
    at += size + 2;
  }
  const trailers = /^(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(at));
  return trailers === null ? undefined : { body, length: at + trailers[0].length };
};

const parseBody = (head: Head, rest: string): { body: string; length: number } | undefined => {
  const lengths = valuesOf(head, 'content-length');
  const codings = valuesOf(head, 'transfer-encoding');
  if (codings.length > 0) {
    const exact = codings.length === 1 && codings[0]?.toLowerCase() === 'chunked' && lengths.length === 0;
    return exact && head.minor === '1' ? parseChunks(rest) : undefined;
  }
  if (lengths.length === 0) return { body: '', length: 0 };
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0] as string)) return undefined;
  const length = Number(lengths[0]);
  return rest.length < length ? undefined : { body: rest.slice(0, length), length };
};

/** Requests in the order they were sent, up to the first doubt or the first that ends its connection. */
export const strictRequests = (bytes: string): StrictRequest[] => {
  const requests: StrictRequest[] = [];
  let rest = bytes;
  for (;;) {
    rest = rest.replace(/^[\r\n]+/, '');
    const end = rest.indexOf('\r\n\r\n');
    const head = end < 0 ? undefined : parseHead(rest.slice(0, end));
    if (head === undefined) return requests;
    const hosts = valuesOf(head, 'host').length;
    if (hosts > 1 || (hosts === 0 && head.minor === '1')) return requests;
    const framed = parseBody(head, rest.slice(end + 4));
    if (framed === undefined) return requests;
    requests.push({ method: head.method, target: head.target, body: framed.body });
    rest = rest.slice(end + 4 + framed.length);
  }
};
