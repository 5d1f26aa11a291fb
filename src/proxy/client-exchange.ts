/**
 * ClientRequest over node:http. Keeps the promise that a request is answered once, that an answer which cannot be
 * completed ends with the connection rather than looking complete, and that everybody who works for a client that left
 * hears of it. The hot path of traffic that only passes, so: raw header pairs, no pipes, and nothing is made before it is asked for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { CrossfadeError, type ErrorCode, renderError } from '../errors.ts';
import { ClientBody } from './client-body.ts';
import type { ClientConnection } from './client-connection.ts';
import type { ClientAnswer, ClientRequest, RequestEvent, RequestTrace } from './client-request.ts';
import type { Framing } from './framing.ts';
import { principalOf } from './principal.ts';
import type { Target } from './request-target.ts';
import { mustClose, outcomeOf, wireAnswer } from './respond.ts';
import type { RequestHead } from './types.ts';

export type ExchangeInit = {
  request: IncomingMessage;
  response: ServerResponse;
  connection: ClientConnection;
  /** undefined: refused, or `*`. */
  target: Exclude<Target, 'asterisk'> | undefined;
  headers: readonly string[];
  framing: Framing;
  /** Called once, when the answer is out or the client is gone. */
  onClosed: (exchange: ClientExchange) => void;
};

export class ClientExchange implements ClientRequest {
  readonly headers: readonly string[];
  readonly bodyLength: number | undefined;
  readonly trace: RequestTrace = {
    family: 'unclassified',
    access: 'unknown',
    routeSlug: undefined,
    side: undefined,
    upstreamMs: 0,
  };
  gone = false;
  answered = false;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly connection: ClientConnection;
  readonly #body: ClientBody;
  readonly #target: ExchangeInit['target'];
  readonly #startedMs = performance.now();
  readonly #notifyClosed: (exchange: ClientExchange) => void;
  #head: RequestHead | undefined;
  #over = false;
  #errorCode: ErrorCode | undefined;
  #aborter: AbortController | undefined;
  #onGone: (() => void)[] | undefined;

  constructor(init: ExchangeInit) {
    this.#target = init.target;
    this.headers = init.headers;
    this.bodyLength = init.framing.bodyLength;
    this.#request = init.request;
    this.#response = init.response;
    this.connection = init.connection;
    this.#notifyClosed = init.onClosed;
    this.#body = new ClientBody(init.request, init.response, init.framing);
    init.response.sendDate = false;
    init.response.on('close', () => this.closed());
  }

  get method(): string {
    return this.#request.method ?? '';
  }

  get path(): string {
    return this.#target?.path ?? '';
  }

  get target(): string {
    if (this.#target === undefined) return '';
    const { path, query } = this.#target;
    return query === '' ? path : `${path}?${query}`;
  }

  get head(): RequestHead {
    this.#head ??= {
      method: this.method,
      path: this.path,
      query: this.#target?.query ?? '',
      headers: this.#request.headers as Record<string, string>,
    };
    return this.#head;
  }

  get connectionId(): string {
    return this.connection.id;
  }

  get principal(): string | undefined {
    const named = principalOf(this.head.headers['authorization']);
    if (named !== undefined) return named;
    const certificate = (this.connection.socket as Partial<TLSSocket>).getPeerCertificate?.();
    const name = certificate?.subject?.CN;
    return Array.isArray(name) ? name[0] : name;
  }

  get aborted(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.gone) this.#aborter.abort(new CrossfadeError('CLIENT_CLOSED'));
    }
    return this.#aborter.signal;
  }

  get answerBegun(): boolean {
    return this.#response.headersSent;
  }

  get bodyRead(): Buffer | undefined {
    return this.#body.whole;
  }

  readBody({ maxBytes }: { maxBytes: number }): Promise<Buffer> {
    return this.#body.read(maxBytes);
  }

  takeBody(maxBytes: number, done: (body: Buffer) => void, failed: (error: CrossfadeError) => void): void {
    this.#body.take(maxBytes, done, failed);
  }

  bodyChunks(): AsyncIterable<Buffer> {
    return this.#body.chunks();
  }

  respond(answer: ClientAnswer): void {
    const { status, reason, headers, body } = wireAnswer(answer, this.method);
    this.answerWhole(status, reason, headers, body);
  }

  respondError(error: CrossfadeError): void {
    if (this.gone) return;
    this.#errorCode ??= error.code;
    if (this.#response.writableEnded) return;
    if (this.answerBegun || error.code === 'CLIENT_CLOSED') {
      this.connection.socket.destroy();
      return;
    }
    if (mustClose(error)) this.connection.closing = true;
    this.respond(renderError(error));
  }

  /** A complete answer; `headers` are end-to-end pairs with their Content-Length. */
  answerWhole(status: number, reason: string | undefined, headers: string[], body: Buffer | undefined): void {
    if (!this.#begin(status, reason, headers)) return;
    this.#body.discard();
    this.#response.end(body);
  }

  beginAnswer(status: number, reason: string, headers: string[]): void {
    if (!this.#begin(status, reason, headers)) return;
    const { socket } = this.connection;
    // The head goes out even if the body is late, and together with what comes in the same turn.
    socket.cork();
    this.#response.flushHeaders();
    process.nextTick(() => socket.uncork());
  }

  writeAnswer(chunk: Buffer): boolean {
    return this.gone || this.#response.write(chunk);
  }

  endAnswer(): void {
    if (this.gone) return;
    this.#body.discard();
    this.#response.end();
  }

  onDrain(callback: () => void): void {
    this.#response.once('drain', callback);
  }

  onGone(callback: () => void): void {
    if (this.gone) callback();
    else if (this.#onGone === undefined) this.#onGone = [callback];
    else this.#onGone.push(callback);
  }

  /** The rest of the request cannot be read. */
  breakBody(error: CrossfadeError): void {
    this.connection.closing = true;
    if (this.answered) this.connection.socket.destroySoon();
    else if (!this.#body.fail(error)) this.respondError(error);
  }

  /** True until the last byte of the request was received. */
  get incomplete(): boolean {
    return !this.#request.complete;
  }

  /** The answer is out, or its connection is gone. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.#response.writableFinished) {
      this.gone = true;
      const error = new CrossfadeError('CLIENT_CLOSED');
      this.#body.fail(error);
      this.#aborter?.abort(error);
      for (const callback of this.#onGone ?? []) callback();
    }
    this.#notifyClosed(this);
  }

  event(): RequestEvent {
    const { family, access, routeSlug, side, upstreamMs } = this.trace;
    const status = this.#response.headersSent ? this.#response.statusCode : 499;
    const outcome = outcomeOf({ status, errorCode: this.#errorCode, complete: !this.gone });
    return {
      family,
      access,
      routeSlug,
      side: outcome === 'refused' ? 'none' : (side ?? 'none'),
      upstreamMs,
      status,
      outcome,
      durationMs: performance.now() - this.#startedMs,
      errorCode: this.#errorCode,
    };
  }

  #begin(status: number, reason: string | undefined, headers: string[]): boolean {
    if (this.gone || this.answered) return false;
    this.answered = true;
    if (this.connection.endsWithAnswer()) headers.push('connection', 'close');
    if (reason === undefined) this.#response.writeHead(status, headers);
    else this.#response.writeHead(status, reason, headers);
    return true;
  }
}
