/**
 * Passes one request to a cluster and its answer back, as bytes: nothing is parsed, nothing is held beyond a small body
 * that is worth one write. Each side's pace is the other's. A client that leaves takes its request at the cluster with it
 * (the connection is destroyed, which is how OpenSearch cancels a search); an answer that breaks off destroys the client's
 * connection, for a clean end would make it look complete.
 */
import { CrossfadeError } from '../errors.ts';
import type { AnswerSink, Cluster, UpstreamStream } from '../upstream/types.ts';
import type { ClientRequest } from './client-request.ts';
import { heldBodyBytes } from './framing.ts';
import { scanAnswerHeaders } from './headers.ts';
import { awaitedChunks, bodyAtHand, type RelayBody } from './relay-body.ts';

/** Hears the answer as it passes, for who compares or measures it; must not throw and cannot slow it. */
export type AnswerTap = {
  onHead?(status: number, headers: readonly string[]): void;
  onData?(chunk: Buffer): void;
  /** `tookMs`: from sending the request to the last byte of the answer, without the time that the client kept it waiting. */
  onEnd?(tookMs: number): void;
};

export type RelayOptions = {
  cluster: Cluster;
  /** Raw path and query when not the client's own. */
  path?: string;
  /** End-to-end pairs when not the client's own. */
  headers?: readonly string[];
  /** The body when not the client's own. */
  body?: Buffer | null;
  /** Pairs added to the answer. */
  answerHeaders?: readonly string[];
  tap?: AnswerTap;
  timeoutMs?: number;
  /** For who knows the API; default: what method and path tell. */
  safeToRepeat?: boolean | undefined;
};

/** A failure before the answer began was not rendered: the caller may try something else, or `respondError`. */
export type RelayResult = { ok: true; status: number } | { ok: false; error: CrossfadeError };

/**
 * Reading twice is the same as reading once, unless a cursor moves: a scroll that is asked twice skips a page.
 * Exported for the test of the rule.
 */
export const isSafeToRepeat = (method: string, target: string): boolean =>
  (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') && !/scroll/i.test(target);

class Relay implements AnswerSink {
  readonly #request: ClientRequest;
  readonly #options: RelayOptions;
  readonly #finish: (result: RelayResult) => void;
  readonly #begunMs = performance.now();
  /** Since then the client is waited for: its body has not come, or it reads no faster. */
  #waitingSinceMs: number | undefined;
  #clientMs = 0;
  #upstream: UpstreamStream | undefined;
  #status = 0;
  #reason = '';
  #headers: string[] = [];
  #length: number | undefined;
  #held: Buffer | undefined;
  #over = false;

  constructor(request: ClientRequest, options: RelayOptions, finish: (result: RelayResult) => void) {
    this.#request = request;
    this.#options = options;
    this.#finish = finish;
  }

  awaitBody(): void {
    this.#waitingSinceMs = this.#begunMs;
  }

  begin({ body, bodyLength }: RelayBody): void {
    const { cluster, path, headers, timeoutMs, safeToRepeat } = this.#options;
    const target = path ?? this.#request.target;
    const { method } = this.#request;
    this.#upstream = cluster.stream(
      {
        method,
        path: target,
        headers: headers ?? this.#request.headers,
        body: body === null || Buffer.isBuffer(body) ? body : this.#awaited(body),
        bodyLength,
        timeoutMs,
        safeToRepeat: safeToRepeat ?? isSafeToRepeat(method, target),
      },
      this,
    );
    this.#request.onGone(() => this.#clientLeft());
  }

  /** `begin` in the turn of an event of the client's connection, which nothing may throw into. */
  beginWithin(body: Buffer): void {
    this.#endWait(performance.now());
    try {
      this.begin({ body });
    } catch (cause) {
      this.onError(
        cause instanceof CrossfadeError ? cause : new CrossfadeError('INTERNAL', 'Sending failed.', { cause }),
      );
    }
  }

  onHead(status: number, reason: string, raw: readonly string[]): void {
    const { headers, length } = scanAnswerHeaders(raw);
    const { answerHeaders, tap } = this.#options;
    if (answerHeaders !== undefined) headers.push(...answerHeaders);
    this.#status = status;
    this.#reason = reason;
    this.#headers = headers;
    this.#length = length;
    tap?.onHead?.(status, headers);
    // With a length the head waits for the first bytes, so that a small answer is one write.
    if (length === undefined) this.#beginAnswer();
  }

  onData(chunk: Buffer): boolean {
    this.#options.tap?.onData?.(chunk);
    if (!this.#request.answerBegun) {
      if (chunk.length === this.#length) {
        this.#held = chunk;
        return true;
      }
      this.#beginAnswer();
    }
    if (this.#request.writeAnswer(chunk)) return true;
    this.#beginWait();
    this.#request.onDrain(() => this.#resume());
    return false;
  }

  onEnd(): void {
    this.#options.tap?.onEnd?.(this.#tookMs());
    if (this.#request.answerBegun) this.#request.endAnswer();
    else this.#request.answerWhole(this.#status, this.#reason, this.#headers, this.#held);
    this.#done({ ok: true, status: this.#status });
  }

  onError(error: CrossfadeError): void {
    if (this.#request.answerBegun) this.#request.respondError(error);
    this.#done({ ok: false, error });
  }

  #resume(): void {
    this.#endWait(performance.now());
    this.#upstream?.resume();
  }

  #awaited(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    return awaitedChunks(chunks, { begun: () => this.#beginWait(), over: () => this.#endWait(performance.now()) });
  }

  #beginWait(): void {
    this.#waitingSinceMs ??= performance.now();
  }

  #endWait(nowMs: number): void {
    if (this.#waitingSinceMs !== undefined) this.#clientMs += nowMs - this.#waitingSinceMs;
    this.#waitingSinceMs = undefined;
  }

  #beginAnswer(): void {
    this.#request.beginAnswer(this.#status, this.#reason, this.#headers);
  }

  #clientLeft(): void {
    if (this.#over) return;
    this.#upstream?.abort();
    this.#done({ ok: false, error: new CrossfadeError('CLIENT_CLOSED') });
  }

  #done(result: RelayResult): void {
    if (this.#over) return;
    this.#over = true;
    const { trace } = this.#request;
    trace.upstreamMs += this.#tookMs();
    trace.clientMs += this.#clientMs;
    this.#finish(result);
  }

  #tookMs(): number {
    const nowMs = performance.now();
    this.#endWait(nowMs);
    return nowMs - this.#begunMs - this.#clientMs;
  }
}

/** `finish` is told once how it ended, also when the client's body cannot be read. */
export const startRelay = (
  request: ClientRequest,
  options: RelayOptions,
  finish: (result: RelayResult) => void,
): void => {
  const passing = new Relay(request, options, finish);
  const body = bodyAtHand(request, options.body);
  if (body !== undefined) return passing.begin(body);
  passing.awaitBody();
  request.takeBody(
    heldBodyBytes,
    (whole) => passing.beginWithin(whole),
    (error) => passing.onError(error),
  );
};

export const relay = (request: ClientRequest, options: RelayOptions): Promise<RelayResult> =>
  new Promise((resolve) => startRelay(request, options, resolve));
