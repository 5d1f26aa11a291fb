/**
 * One request of the application, as everything behind the listener sees it: its head, its body (as bytes or as a
 * stream), how to answer it, and whether the client is still there. Types only; client-exchange.ts implements it over
 * node:http. Exactly one answer is given, through `respond`, `respondError` or the streaming calls.
 */

import type { Side } from '../coordination/records.ts';
import type { CrossfadeError, ErrorCode } from '../errors.ts';
import type { Outcome } from '../metrics.ts';
import type { Access, Family, RequestHead } from './types.ts';

/** A whole answer. Hop-by-hop headers and Content-Length are taken out of `headers` and set anew. */
export type ClientAnswer = {
  status: number;
  reason?: string | undefined;
  /** A record, or name, value pairs when names repeat or their case matters. */
  headers: Readonly<Record<string, string | readonly string[] | undefined>> | readonly string[];
  body?: Buffer | string | undefined;
};

/** What is told about a request once it is finished; executors fill in what they know. */
export type RequestTrace = {
  family: Family;
  access: Access;
  routeSlug: string | undefined;
  /** The side that answered; undefined when the sidecar answered itself. */
  side: Side | undefined;
  /** Time from sending to the cluster to the end of its answer, without what the client kept it waiting. */
  upstreamMs: number;
  /** Time in which a passed request waited for its client: for its body, and for it to read. */
  clientMs: number;
};

/** The observation of a finished request, for metrics and logs. */
export type RequestEvent = Readonly<Omit<RequestTrace, 'side'>> & {
  readonly side: Side | 'none';
  /** 499 when the client left before the answer began. */
  readonly status: number;
  readonly outcome: Outcome;
  readonly durationMs: number;
  /** Set when the sidecar authored the answer or cut it short. */
  readonly errorCode: ErrorCode | undefined;
};

export interface ClientRequest {
  readonly method: string;
  /** Raw path and query, as they go on the wire. */
  readonly target: string;
  /** Raw path, without the query. */
  readonly path: string;
  /** Made when it is first asked for: traffic that only passes does without. */
  readonly head: RequestHead;
  /** name, value, name, value: end-to-end headers as received, without Host, Content-Length and Expect. */
  readonly headers: readonly string[];
  /** Declared length; 0 = no body, undefined = chunked. */
  readonly bodyLength: number | undefined;
  /** Same for all requests of one client connection. */
  readonly connectionId: string;
  /** Who the client says it is: user of basic credentials, subject of a client certificate, or a digest of a token. */
  readonly principal: string | undefined;
  readonly trace: RequestTrace;
  /** Fires when the client leaves before the answer is complete. */
  readonly aborted: AbortSignal;
  /** The client left. */
  readonly gone: boolean;
  /** The head of the answer was handed to the connection, so the status can no longer change. */
  readonly answerBegun: boolean;
  /** Bytes already taken by `readBody`. */
  readonly bodyRead: Buffer | undefined;

  /**
   * The whole body as received (content-encoding untouched). May be called again.
   * @throws CrossfadeError BODY_TOO_LARGE, REQUEST_TIMEOUT, BAD_FRAMING, CLIENT_CLOSED
   */
  readBody(options: { maxBytes: number }): Promise<Buffer>;
  /** `readBody` without a promise. */
  takeBody(maxBytes: number, done: (body: Buffer) => void, failed: (error: CrossfadeError) => void): void;
  /** The body as it arrives; may be asked for once, and not after `readBody`. Throws as `readBody` when it is cut short. */
  bodyChunks(): AsyncIterable<Buffer>;

  respond(answer: ClientAnswer): void;
  /** Renders the error; when an answer has already begun, the connection is destroyed instead of ended cleanly. */
  respondError(error: CrossfadeError): void;

  /** A complete answer of a cluster as it came: end-to-end pairs with their Content-Length, and the body's bytes. */
  answerWhole(status: number, reason: string | undefined, headers: string[], body: Buffer | undefined): void;

  /** Streaming: header pairs must be end-to-end. Without Content-Length the body is chunked. */
  beginAnswer(status: number, reason: string, headers: string[]): void;
  /** false = the client is slower; wait for `onDrain`. */
  writeAnswer(chunk: Buffer): boolean;
  endAnswer(): void;
  onDrain(callback: () => void): void;
  /** Called once when the client leaves before the answer is complete, cheaper than `aborted`. */
  onGone(callback: () => void): void;
}
