/**
 * Reads and cleans the header lists that pass through, in one walk over the raw pairs: what frames the message and what
 * belongs to this connection only is taken out, everything else keeps its bytes, order and repetition. Framing is
 * always made anew by the next hop's writer, so no length of the sender can meet another one.
 */
import { connectionOptions, isHopByHop, withoutHeaders } from '../upstream/header-pairs.ts';

export type RequestScan = {
  /** End-to-end pairs without Host, Content-Length and Expect. */
  headers: string[];
  hosts: string[];
  lengths: string[];
  codings: string[];
  expectations: string[];
  /** The client offers another protocol on this connection. */
  upgrade: boolean;
};

const nothing: string[] = [];
const add = (list: string[], value: string): string[] => (list === nothing ? [value] : [...list, value]);

/** Names that a Connection header gives to this hop; mostly there are none. */
const namedOptions = (value: string): string[] =>
  value === 'keep-alive' || value === 'close' || value === 'Keep-Alive' ? nothing : connectionOptions(value);

export const scanRequestHeaders = (raw: readonly string[]): RequestScan => {
  const headers: string[] = [];
  const scan = { headers, hosts: nothing, lengths: nothing, codings: nothing, expectations: nothing, upgrade: false };
  let options = nothing;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'host') scan.hosts = add(scan.hosts, value);
    else if (lower === 'content-length') scan.lengths = add(scan.lengths, value);
    else if (lower === 'transfer-encoding') scan.codings = add(scan.codings, value);
    else if (lower === 'expect') scan.expectations = add(scan.expectations, value);
    else if (lower === 'connection') options = [...options, ...namedOptions(value)];
    else if (!isHopByHop(lower)) headers.push(name, value);
    else if (lower === 'upgrade') scan.upgrade = true;
  }
  if (options.length > 0) scan.headers = withoutHeaders(headers, (name) => options.includes(name));
  return scan;
};

export type AnswerScan = {
  /** End-to-end pairs, Content-Length included when the sender gave one. */
  headers: string[];
  /** Declared length; undefined when the end is marked another way. */
  length: number | undefined;
};

/** For answers of a cluster that pass through. */
export const scanAnswerHeaders = (raw: readonly string[]): AnswerScan => {
  const headers: string[] = [];
  let length: number | undefined;
  let options = nothing;
  let chunked = false;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'connection') options = [...options, ...namedOptions(value)];
    else if (lower === 'transfer-encoding') chunked = true;
    else if (!isHopByHop(lower)) {
      if (lower === 'content-length') length = Number(value);
      headers.push(name, value);
    }
  }
  const drop = (name: string): boolean => (chunked && name === 'content-length') || options.includes(name);
  if (!chunked && options.length === 0) return { headers, length };
  const kept = withoutHeaders(headers, drop);
  return { headers: kept, length: chunked || options.includes('content-length') ? undefined : length };
};
