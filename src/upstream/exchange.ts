/**
 * One request to a cluster and its answer, over whichever URL can be reached: a handler of undici that keeps the
 * deadline, knows whether the request can have been sent, and tells the sink exactly once how it ended.
 * Sent again only when that is certainly safe: it was never handed to a connection; or the caller declared it safe and
 * a kept-alive connection was cut at once, before any byte of an answer.
 */
import type { Dispatcher, Pool } from 'undici';
import { CrossfadeError } from '../errors.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { HeaderPairs } from './header-pairs.ts';
import { latin1 } from './latin1.ts';
import { isReset, isStaleConnection, mapSent, mapUnsent } from './low-level-errors.ts';
import type { Origins } from './origins.ts';
import type { Connection, ConnectionAware } from './pools.ts';
import { PulledBody } from './pulled-body.ts';
import type { AnswerSink, StreamRequest, UpstreamStream } from './types.ts';

export type ExchangeContext = {
  readonly pools: readonly Pool[];
  /** Path that stands before every request's path; empty for most. */
  readonly prefixes: readonly string[];
  readonly origins: Origins;
  readonly now: () => number;
  readonly deadlines: Deadlines;
  onReachable(index: number, reachable: boolean, cause?: unknown): void;
};

const none: readonly number[] = [];
/** A stale connection is refused within a round trip; later the cluster may well have been at work. */
const staleWithinMs = 1000;
const maxStaleTurns = 3;

type Phase = 'waiting' | 'sent' | 'answering' | 'done';

export class Exchange implements Dispatcher.DispatchHandler, UpstreamStream, ConnectionAware {
  connection: Connection | undefined;
  readonly #context: ExchangeContext;
  readonly #request: StreamRequest;
  readonly #sink: AnswerSink;
  readonly #deadline: Deadline;
  #headers: HeaderPairs = [];
  #path = '';
  #body: Buffer | PulledBody | null = null;
  #phase: Phase = 'waiting';
  #controller: Dispatcher.DispatchController | undefined;
  #origin = 0;
  #tried = none;
  #staleTurns = 0;
  #repeated = false;
  #sentAtMs = 0;
  #status = 0;

  constructor(context: ExchangeContext, request: StreamRequest, sink: AnswerSink) {
    this.#context = context;
    this.#request = request;
    this.#sink = sink;
    this.#deadline = context.deadlines.start(this, request.timeoutMs);
  }

  /** `headers` and `path` as they go on the wire, credentials included. */
  begin(path: string, headers: HeaderPairs, body: StreamRequest['body']): void {
    if (this.#phase === 'done') return;
    this.#path = path;
    this.#headers = headers;
    this.#body = body === null || Buffer.isBuffer(body) ? body : new PulledBody(body);
    this.#send();
  }

  resume(): void {
    this.#controller?.resume();
  }

  abort(): void {
    if (this.#phase !== 'done') this.#giveUp(new Error('given up'));
  }

  /** Ends the exchange with an error that did not come from the wire. */
  fail(error: CrossfadeError): void {
    if (this.#phase === 'done') return;
    this.#giveUp(error);
    this.#sink.onError(error);
  }

  expired(): void {
    const waiting = this.#phase === 'waiting';
    this.fail(
      waiting
        ? new CrossfadeError('UPSTREAM_UNREACHABLE', 'No connection to the cluster became free in time.')
        : new CrossfadeError('UPSTREAM_TIMEOUT'),
    );
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Throwing takes the request out of the queue and leaves the connection to others.
    if (this.#phase === 'done') throw new Error('given up while waiting for a connection');
    this.#controller = controller;
    this.#phase = 'sent';
    this.#sentAtMs = this.#context.now();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _: unknown, reason = ''): void {
    if (status < 200 || this.#phase === 'done') return;
    this.#phase = 'answering';
    this.#status = status;
    if (this.#context.origins.worked(this.#origin)) this.#context.onReachable(this.#origin, true);
    this.#sink.onHead(status, reason, textPairs(controller.rawHeaders as Buffer[]));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#phase !== 'done' && !this.#sink.onData(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#phase === 'done') return;
    this.#settle();
    const { connection } = this;
    if (connection !== undefined) {
      connection.served++;
      // OpenSearch keeps the connection open after a malformed or over-long header, yet ignores what follows on it.
      if (this.#status === 400) connection.discard();
    }
    this.#sink.onEnd();
  }

  onResponseError(_: unknown, error: unknown): void {
    if (this.#phase === 'done') return;
    if (this.#phase === 'waiting') this.#notSent(error);
    else if (this.#mayRepeat(error)) this.#repeat();
    else this.fail(mapSent(error));
  }

  #send(): void {
    if (this.#phase === 'done') return;
    const { pools, origins, prefixes, now } = this.#context;
    this.#origin = origins.pick(now(), this.#tried);
    const { method, bodyLength } = this.#request;
    const streamed = this.#body instanceof PulledBody;
    pools[this.#origin]?.dispatch(
      {
        method,
        path: prefixes[this.#origin] + this.#path,
        headers: (streamed && bodyLength !== undefined
          ? [...this.#headers, 'content-length', String(bodyLength)]
          : this.#headers) as string[],
        body: this.#body as Buffer | null,
        // Bodies of GET and answers to HEAD are framed well by OpenSearch, so the connection is kept.
        reset: false,
        // With one request at a time there is no pipeline to hold up; saying so spares a turn through the client's queue.
        blocking: false,
      },
      this,
    );
  }

  /** Later, because undici is in the middle of taking its connection down. */
  #sendLater(): void {
    queueMicrotask(() => this.#send());
  }

  #notSent(error: unknown): void {
    const mapped = mapUnsent(error);
    if (mapped.code === 'UPSTREAM_UNREACHABLE' && this.#hasAnotherWay(error)) this.#sendLater();
    else this.fail(mapped);
  }

  #hasAnotherWay(error: unknown): boolean {
    if (isStaleConnection(error) && ++this.#staleTurns < maxStaleTurns) return true;
    const { pools, origins, now } = this.#context;
    if (origins.failed(this.#origin, now())) this.#context.onReachable(this.#origin, false, error);
    this.#tried = [...this.#tried, this.#origin];
    return this.#tried.length < pools.length;
  }

  #mayRepeat(error: unknown): boolean {
    return (
      this.#request.safeToRepeat === true &&
      !this.#repeated &&
      this.#phase === 'sent' &&
      !(this.#body instanceof PulledBody) &&
      (this.connection?.served ?? 0) > 0 &&
      this.#context.now() - this.#sentAtMs < staleWithinMs &&
      isReset(error)
    );
  }

  #repeat(): void {
    this.#repeated = true;
    this.#phase = 'waiting';
    this.#controller = undefined;
    this.#sendLater();
  }

  #giveUp(reason: Error): void {
    const controller = this.#controller;
    this.#settle();
    controller?.abort(reason);
  }

  #settle(): void {
    this.#phase = 'done';
    this.#context.deadlines.end(this.#deadline, this);
    if (this.#body instanceof PulledBody) this.#body.cancel();
  }
}

const textPairs = (raw: Buffer[]): string[] => {
  const pairs: string[] = [];
  for (let i = 0; i < raw.length; i++) pairs.push(latin1(raw[i] as Buffer));
  return pairs;
};
