/**
 * One request to a cluster and its answer, over whichever URL can be reached: it keeps the deadline, knows whether the
 * request can have been sent, and tells the sink exactly once how it ended.
 * Sent again only when that is certainly safe: it was never handed to a connection; or the caller declared it safe and
 * a kept-alive connection was cut at once, before any byte of an answer.
 */
import { CrossfadeError } from '../errors.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { HeaderPairs } from './header-pairs.ts';
import { isReset, mapSent, mapUnsent, timedOut } from './low-level-errors.ts';
import type { Origins } from './origins.ts';
import { PulledBody } from './pulled-body.ts';
import type { AnswerSink, StreamRequest, UpstreamStream } from './types.ts';
import type { Asker, Carrier } from './wire/asker.ts';
import type { Pool } from './wire/pool.ts';
import { requestHead } from './wire/request-head.ts';

export type UpstreamUrl = {
  /** Which cluster and where, as errors call it. */
  readonly name: string;
  readonly pool: Pool;
  /** Path that stands before every request's path; empty for most. */
  readonly prefix: string;
  /** As `requestHead` takes them. */
  readonly fixedLines: string;
};
export type ExchangeContext = {
  readonly urls: readonly UpstreamUrl[];
  readonly origins: Origins;
  readonly now: () => number;
  readonly deadlines: Deadlines;
  onReachable(index: number, reachable: boolean, cause?: unknown): void;
};

const none: readonly number[] = [];
/** A client that leaves sooner says nothing about the cluster. */
const silenceMs = 5000;
/** A stale connection is refused within a round trip; later the cluster may well have been at work. */
const staleWithinMs = 1000;

type Phase = 'waiting' | 'sent' | 'answering' | 'done';

export class Exchange implements Asker, UpstreamStream {
  readonly method: string;
  readonly bodyLength: number | undefined;
  head = '';
  body: Buffer | PulledBody | null = null;
  readonly #context: ExchangeContext;
  readonly #request: StreamRequest;
  readonly #sink: AnswerSink;
  readonly #deadline: Deadline;
  #headers: HeaderPairs = [];
  #path = '';
  #phase: Phase = 'waiting';
  #carrier: Carrier | undefined;
  #origin = -1;
  /** What was known of it when it was chosen. */
  #news = 0;
  #tried = none;
  #isRepeated = false;
  #sentAtMs = 0;

  constructor(context: ExchangeContext, request: StreamRequest, sink: AnswerSink) {
    this.method = request.method;
    this.bodyLength = request.bodyLength;
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
    this.body = body === null || Buffer.isBuffer(body) ? body : new PulledBody(body);
    this.#send();
  }

  resume(): void {
    if (this.#phase === 'answering') this.#carrier?.resume();
  }

  abort(): void {
    if (this.#phase === 'done') return;
    if (this.#phase === 'sent' && this.#context.now() - this.#sentAtMs >= silenceMs)
      this.#wasSilent(timedOut(this.#name));
    this.#giveUp();
  }

  /** Ends the exchange with an error that did not come from the wire. */
  fail(error: CrossfadeError): void {
    if (this.#phase === 'done') return;
    this.#giveUp();
    this.#sink.onError(error);
  }

  expired(): void {
    const error = this.#isUnsent
      ? new CrossfadeError('UPSTREAM_UNREACHABLE', `No connection to ${this.#name} became free in time.`)
      : timedOut(this.#name);
    if (this.#phase !== 'answering') this.#wasSilent(error);
    this.fail(error);
  }

  onSent(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#phase = 'sent';
    this.#sentAtMs = this.#context.now();
  }

  onHead(status: number, reason: string, headers: readonly string[]): void {
    this.#phase = 'answering';
    if (this.#context.origins.worked(this.#origin)) this.#context.onReachable(this.#origin, true);
    this.#sink.onHead(status, reason, headers);
  }

  onData(chunk: Buffer): boolean {
    return this.#sink.onData(chunk);
  }

  onEnd(): void {
    this.#settle();
    this.#sink.onEnd();
  }

  onCut(error: unknown): void {
    if (this.#mayRepeat(error)) this.#repeat();
    else this.fail(mapSent(error, this.#name));
  }

  onUnsent(error: unknown): void {
    const mapped = mapUnsent(error, this.#name);
    if (mapped.code === 'UPSTREAM_UNREACHABLE' && this.#hasAnotherWay(error)) this.#send();
    else this.fail(this.#isUnsent ? mapped : mapSent(error, this.#name));
  }

  /** What was sent once stays sent, also while it waits to be sent again. */
  get #isUnsent(): boolean {
    return this.#phase === 'waiting' && !this.#isRepeated;
  }

  get #name(): string {
    return (this.#context.urls[this.#origin] ?? this.#context.urls[0])?.name ?? 'the cluster';
  }

  #send(): void {
    const { urls, origins, now } = this.#context;
    this.#origin = origins.pick(now(), this.#tried);
    this.#news = origins.newsOf(this.#origin);
    const { pool, prefix, fixedLines } = urls[this.#origin] as UpstreamUrl;
    try {
      const path = prefix + this.#path;
      this.head = requestHead({ method: this.method, path, fixedLines, headers: this.#headers });
    } catch (error) {
      return this.fail(mapUnsent(error, this.#name));
    }
    if (this.#isRepeated) pool.sendAnew(this);
    else pool.send(this);
  }

  #hasAnotherWay(error: unknown): boolean {
    const { urls, origins, now } = this.#context;
    if (origins.failed(this.#origin, now())) this.#context.onReachable(this.#origin, false, error);
    this.#tried = [...this.#tried, this.#origin];
    return this.#tried.length < urls.length;
  }

  /** Whether the URL hangs or is just slow is for `Origins` to tell. A body that has not all come is the client's pace. */
  #wasSilent(cause: CrossfadeError): void {
    if (this.#origin < 0 || (this.#phase === 'sent' && this.body instanceof PulledBody && !this.body.ended)) return;
    const { origins, now } = this.#context;
    if (origins.silent(this.#origin, this.#news, now())) this.#context.onReachable(this.#origin, false, cause);
  }

  #mayRepeat(error: unknown): boolean {
    return (
      this.#request.safeToRepeat === true &&
      !this.#isRepeated &&
      this.#phase === 'sent' &&
      !(this.body instanceof PulledBody) &&
      (this.#carrier?.served ?? 0) > 0 &&
      this.#context.now() - this.#sentAtMs < staleWithinMs &&
      isReset(error)
    );
  }

  #repeat(): void {
    this.#isRepeated = true;
    this.#phase = 'waiting';
    this.#carrier = undefined;
    this.#send();
  }

  #giveUp(): void {
    const wasWaiting = this.#phase === 'waiting';
    const carrier = this.#carrier;
    this.#settle();
    if (wasWaiting) this.#context.urls[this.#origin]?.pool.cancel(this);
    else carrier?.abandon();
  }

  #settle(): void {
    this.#phase = 'done';
    this.#carrier = undefined;
    this.#context.deadlines.end(this.#deadline, this);
    if (this.body instanceof PulledBody) this.body.cancel();
  }
}
