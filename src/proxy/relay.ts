/**
 * Passes one request to a cluster and its answer back, as bytes: nothing is parsed, nothing is held beyond a small body
 * that is worth one write. Each side's pace is the other's. A client that leaves takes its request at the cluster with it
 * (the connection is destroyed, which is how OpenSearch cancels a search); an answer that breaks off destroys the client's
 * connection, for a clean end would make it look complete.
 */
import { CrossfadeError } from '../errors.ts';
import type { AnswerSink, Cluster, StreamRequest, UpstreamStream } from '../upstream/types.ts';
import type { ClientRequest } from './client-request.ts';
import { heldBodyBytes } from './framing.ts';
import { scanAnswerHeaders } from './headers.ts';

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

type Body = Pick<StreamRequest, 'body' | 'bodyLength'>;

/** undefined = it must be waited for. */
const bodyAtHand = (request: ClientRequest, given: Buffer | null | undefined): Body | undefined => {
  const whole = given ?? (given === undefined ? request.bodyRead : null);
  if (whole === null) return { body: null };
  if (whole !== undefined) return { body: whole.length === 0 ? null : whole };
  const { bodyLength } = request;
  if (bodyLength !== undefined && bodyLength <= heldBodyBytes) return undefined;
  return { body: request.bodyChunks(), bodyLength };
};

class Relay implements AnswerSink {
  readonly #request: ClientRequest;
  readonly #options: RelayOptions;
  readonly #finish: (result: RelayResult) => void;
  /** undefined = the client's body is still awaited. */
  #sentMs: number | undefined;
  /** The client reads no faster since then. */
  #pausedMs: number | undefined;
  #waitedMs = 0;
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

  begin(body: Body): void {
    const { cluster, path, headers, timeoutMs, safeToRepeat } = this.#options;
    const target = path ?? this.#request.target;
    const { method } = this.#request;
    this.#sentMs = performance.now();
    this.#upstream = cluster.stream(
      {
        method,
        path: target,
        headers: headers ?? this.#request.headers,
        body: body.body,
        bodyLength: body.bodyLength,
        timeoutMs,
        safeToRepeat: safeToRepeat ?? isSafeToRepeat(method, target),
      },
      this,
    );
    this.#request.onGone(() => this.#clientLeft());
  }

  /** `begin` in the turn of an event of the client's connection, which nothing may throw into. */
  beginWithin(body: Buffer): void {
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
    this.#pausedMs = performance.now();
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
    this.#endPause();
    this.#upstream?.resume();
  }

  #endPause(): void {
    if (this.#pausedMs !== undefined) this.#waitedMs += performance.now() - this.#pausedMs;
    this.#pausedMs = undefined;
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
    this.#request.trace.upstreamMs += this.#tookMs();
    this.#finish(result);
  }

  #tookMs(): number {
    if (this.#sentMs === undefined) return 0;
    this.#endPause();
    return performance.now() - this.#sentMs - this.#waitedMs;
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
  if (body !== undefined) passing.begin(body);
  else
    request.takeBody(
      heldBodyBytes,
      (whole) => passing.beginWithin(whole),
      (error) => passing.onError(error),
    );
};

export const relay = (request: ClientRequest, options: RelayOptions): Promise<RelayResult> =>
  new Promise((resolve) => startRelay(request, options, resolve));
