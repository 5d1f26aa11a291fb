/**
 * Refuses requests that two servers could read differently, beyond what the HTTP parser refuses by itself: the cluster
 * behind accepts more than the standard allows (it executes `Transfer-Encoding: xchunked`), so nothing doubtful may
 * reach it. RFC 9112 6.1-6.3 and 3.2. Pure: a scan of the head in, a refusal or a length out.
 */
import { CrossfadeError } from '../errors.ts';
import type { RequestScan } from './headers.ts';

/** Up to here a body is taken whole before a connection to the cluster is used for it. */
export const heldBodyBytes = 64 * 1024;

/** Methods that OpenSearch knows; for others it closes the connection without an answer. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']);

export type Framing = {
  /** 0 = no body, undefined = chunked. */
  bodyLength: number | undefined;
  /** The client waits for 100 Continue before it sends its body. */
  expectsContinue: boolean;
};

type Version = { major: number; minor: number };

const bad = (message: string): CrossfadeError => new CrossfadeError('BAD_FRAMING', message);

const hostProblem = ({ hosts }: RequestScan, { minor }: Version): CrossfadeError | undefined => {
  if (hosts.length > 1) return bad('More than one Host header.');
  return hosts.length === 0 && minor > 0 ? bad('HTTP/1.1 needs a Host header.') : undefined;
};

const codingProblem = ({ codings, lengths }: RequestScan, { minor }: Version): CrossfadeError | undefined => {
  if (codings.length === 0) return undefined;
  if (minor === 0) return bad('HTTP/1.0 has no Transfer-Encoding.');
  if (lengths.length > 0) return bad('Transfer-Encoding together with Content-Length.');
  if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked')
    return bad('Transfer-Encoding is something other than exactly `chunked`.');
  return undefined;
};

const lengthProblem = ({ lengths }: RequestScan): CrossfadeError | undefined => {
  if (lengths.length === 0) return undefined;
  if (lengths.length > 1) return bad('More than one Content-Length header.');
  const [length = ''] = lengths;
  return /^\d{1,16}$/.test(length) && Number.isSafeInteger(Number(length))
    ? undefined
    : bad('Content-Length is not a decimal number.');
};

const methodProblem = (method: string): CrossfadeError | undefined =>
  methods.has(method)
    ? undefined
    : new CrossfadeError('UNSUPPORTED', `The method ${method} is not known to OpenSearch.`);

const expectationProblem = ({ expectations }: RequestScan, { minor }: Version): CrossfadeError | undefined => {
  if (expectations.length === 0 || minor === 0) return undefined;
  return expectations.length === 1 && expectations[0]?.toLowerCase() === '100-continue'
    ? undefined
    : new CrossfadeError('EXPECTATION_FAILED');
};

const lengthOf = ({ codings, lengths }: RequestScan): number | undefined => {
  if (codings.length > 0) return undefined;
  return lengths.length === 0 ? 0 : Number(lengths[0]);
};

/** What to refuse a request for, or how its body is framed. */
export const frame = (method: string, version: Version, scan: RequestScan): Framing | CrossfadeError => {
  if (version.major !== 1 || version.minor > 1) return bad('The protocol is not HTTP/1.0 or HTTP/1.1.');
  // Doubts about the framing come first: after them nothing on the connection is obeyed.
  const problem =
    hostProblem(scan, version) ??
    codingProblem(scan, version) ??
    lengthProblem(scan) ??
    methodProblem(method) ??
    expectationProblem(scan, version);
  if (problem !== undefined) return problem;
  return { bodyLength: lengthOf(scan), expectsContinue: scan.expectations.length > 0 && version.minor > 0 };
};
