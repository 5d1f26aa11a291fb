/**
 * The head of an answer as bytes on the wire, and how its body is framed (RFC 9112 6): as node:http would write it, so
 * that a client cannot tell which of the two answered. Pure.
 */
export type AnswerFrame = {
  /** Latin-1 text, blank line included. */
  readonly head: string;
  readonly chunked: boolean;
  /** No byte of a body may follow. */
  readonly bodiless: boolean;
};
export type AnswerStart = {
  /** Of the request. */
  readonly method: string;
  readonly status: number;
  readonly reason: string;
  /** End-to-end pairs, and `connection: close` when the connection ends with this answer. */
  readonly headers: readonly string[];
  /** What clients are told of how long an unused connection is kept; undefined = as long as they like. */
  readonly keepAliveSeconds: number | undefined;
  /** Length of a body that is known whole; undefined = it comes piece by piece. */
  readonly bodyBytes?: number | undefined;
};

const unsafe = /[^\t\x20-\x7e\x80-\xff]/;

const isNamed = (name: string, wanted: string): boolean =>
  name.length === wanted.length && name.toLowerCase() === wanted;

/** @throws TypeError when a value would not stay within its line: a bug, or a cluster's bytes that were not checked. */
const line = (name: string, value: string): string => {
  if (unsafe.test(name) || unsafe.test(value)) throw new TypeError(`The header ${name} cannot be sent.`);
  return `${name}: ${value}\r\n`;
};

const framingLine = (bodyBytes: number | undefined): string =>
  bodyBytes === undefined ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${bodyBytes}\r\n`;

const keepAliveLines = (seconds: number | undefined): string =>
  `Connection: keep-alive\r\n${seconds === undefined ? '' : `Keep-Alive: timeout=${seconds}\r\n`}`;

export const answerHead = (start: AnswerStart): AnswerFrame => {
  const { method, status, reason, headers, keepAliveSeconds, bodyBytes } = start;
  if (unsafe.test(reason)) throw new TypeError('The reason of an answer cannot be sent.');
  let counted = false;
  let closes = false;
  let head = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    counted ||= isNamed(name, 'content-length');
    closes ||= isNamed(name, 'connection');
    head += line(name, headers[i + 1] as string);
  }
  if (!closes) head += keepAliveLines(keepAliveSeconds);
  const bodiless = method === 'HEAD' || status === 204 || status === 304;
  const framed = counted || bodiless;
  return {
    head: `${head}${framed ? '' : framingLine(bodyBytes)}\r\n`,
    chunked: !framed && bodyBytes === undefined,
    bodiless,
  };
};
