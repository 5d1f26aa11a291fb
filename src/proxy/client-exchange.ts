/**
 * What every ClientRequest of the listener has in common, however its bytes came in: a request is answered once, an
 * answer that cannot be completed ends with the connection rather than looking complete, and everybody who works for a
 * client that left hears of it. node-exchange.ts is over node:http, fast-path/fast-exchange.ts over the bare connection.
 * The hot path of traffic that only passes, so nothing is made before it is asked for.
 */
import type { TLSSocket } from 'node:tls';
import { CrossfadeError, type ErrorCode, renderError } from '../errors.ts';
import type { ClientConnection } from './client-connection.ts';
import type { ClientAnswer, ClientRequest, RequestEvent, RequestTrace } from './client-request.ts';
import { principalOf } from './principal.ts';
import type { Target } from './request-target.ts';
import { mustClose, outcomeOf, wireAnswer } from './respond.ts';
import type { RequestHead } from './types.ts';

export type ExchangeInit = {
  connection: ClientConnection;
  method: string;
  /** undefined: refused, or `*`. */
  target: Exclude<Target, 'asterisk'> | undefined;
  /** End-to-end pairs. */
  headers: readonly string[];
  /** As in ClientRequest. */
  bodyLength: number | undefined;
  /** Called once, when the answer is out or the client is gone. */
  onClosed: (exchange: ClientExchange) => void;
};

export abstract class ClientExchange implements ClientRequest {
  readonly method: string;
  readonly headers: readonly string[];
  readonly bodyLength: number | undefined;
  readonly connection: ClientConnection;
  readonly trace: RequestTrace = {
    family: 'unclassified',
    access: 'unknown',
    routeSlug: undefined,
    side: undefined,
    upstreamMs: 0,
    clientMs: 0,
  };
  gone = false;
  answered = false;
  /** The connection ends with this answer, and the client was told so. */
  endsConnection = false;
  readonly #target: ExchangeInit['target'];
  readonly #startedMs = performance.now();
  readonly #notifyClosed: (exchange: ClientExchange) => void;
  #head: RequestHead | undefined;
  #over = false;
  #errorCode: ErrorCode | undefined;
  #aborter: AbortController | undefined;
  #onGone: (() => void)[] | undefined;

  constructor(init: ExchangeInit) {
    this.method = init.method;
    this.#target = init.target;
    this.headers = init.headers;
    this.bodyLength = init.bodyLength;
    this.connection = init.connection;
    this.#notifyClosed = init.onClosed;
  }

  abstract get answerBegun(): boolean;
  abstract get bodyRead(): Buffer | undefined;
  abstract readBody(options: { maxBytes: number }): Promise<Buffer>;
  abstract takeBody(maxBytes: number, done: (body: Buffer) => void, failed: (error: CrossfadeError) => void): void;
  abstract bodyChunks(): AsyncIterable<Buffer>;
  abstract answerWhole(status: number, reason: string | undefined, headers: string[], body: Buffer | undefined): void;
  abstract beginAnswer(status: number, reason: string, headers: string[]): void;
  abstract writeAnswer(chunk: Buffer): boolean;
  abstract endAnswer(): void;
  abstract onDrain(callback: () => void): void;
  /** All headers as received, lower-case names. */
  protected abstract headerRecord(): Record<string, string>;
  /** Status that was handed to the connection; undefined before. */
  protected abstract get statusSent(): number | undefined;
  /** The last byte of the answer was handed in; nothing more can be said. */
  protected abstract get answerEnded(): boolean;
  /** The whole answer left for the client. */
  protected abstract get answerOut(): boolean;

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
      headers: this.headerRecord(),
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

  respond(answer: ClientAnswer): void {
    const { status, reason, headers, body } = wireAnswer(answer, this.method);
    this.answerWhole(status, reason, headers, body);
  }

  respondError(error: CrossfadeError): void {
    if (this.gone) return;
    this.#errorCode ??= error.code;
    if (this.answerEnded) return;
    if (this.answerBegun || error.code === 'CLIENT_CLOSED') {
      this.breakOff();
      return;
    }
    if (mustClose(error)) this.connection.closing = true;
    this.respond(renderError(error));
  }

  onGone(callback: () => void): void {
    if (this.gone) callback();
    else if (this.#onGone === undefined) this.#onGone = [callback];
    else this.#onGone.push(callback);
  }

  /** The answer is out, or its connection is gone. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.answerOut) {
      this.gone = true;
      const error = new CrossfadeError('CLIENT_CLOSED');
      this.bodyLost(error);
      this.#aborter?.abort(error);
      for (const callback of this.#onGone ?? []) callback();
    }
    this.#notifyClosed(this);
  }

  event(): RequestEvent {
    const { family, access, routeSlug, side, upstreamMs, clientMs } = this.trace;
    const status = this.statusSent ?? 499;
    const outcome = outcomeOf({ status, errorCode: this.#errorCode, complete: !this.gone });
    return {
      family,
      access,
      routeSlug,
      side: outcome === 'refused' ? 'none' : (side ?? 'none'),
      upstreamMs,
      clientMs,
      status,
      outcome,
      durationMs: performance.now() - this.#startedMs,
      errorCode: this.#errorCode,
    };
  }

  /** Ends the connection so that what was sent of the answer does not look complete. */
  protected breakOff(): void {
    this.connection.socket.destroy();
  }

  /** The client left: whoever still reads the body is told. */
  protected bodyLost(_: CrossfadeError): void {}

  /** True for who may answer: once, and while there is somebody to answer to. */
  protected claimAnswer(headers: string[]): boolean {
    if (this.gone || this.answered) return false;
    this.answered = true;
    this.endsConnection = this.connection.endsWithAnswer();
    if (this.endsConnection) headers.push('connection', 'close');
    return true;
  }
}
