/**
 * One connection to a cluster: one request at a time, and the answer to it. It is used again only when both have certainly
 * ended where both sides think they have; in every other case it is closed, for what one request leaves on a connection
 * must never touch another. Whoever closes it, the owner hears of it at once and the asker last.
 */
import type { Socket } from 'node:net';
import { PulledBody } from '../pulled-body.ts';
import { type AnswerListener, AnswerParser } from './answer-parser.ts';
import type { Asker, Carrier } from './asker.ts';
import { BodyWriter, writeWhole } from './body-writer.ts';
import type { Opener } from './open-socket.ts';
import { WireError } from './wire-error.ts';

export interface ConnectionOwner {
  onReady(connection: Connection): void;
  /** It never became ready. */
  onFailed(connection: Connection, error: unknown): void;
  /** Its answer has ended well. */
  onFree(connection: Connection): void;
  onGone(connection: Connection): void;
}

const nothing = Buffer.alloc(0);

export class Connection implements Carrier, AnswerListener {
  served = 0;
  /** Until when it may rest unused; kept by the owner. */
  idleUntilMs = 0;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #endsAreTrue: boolean;
  readonly #parser = new AnswerParser(this);
  readonly #timer: NodeJS.Timeout;
  #phase: 'connecting' | 'open' | 'gone' = 'connecting';
  #asker: Asker | undefined;
  #status = 0;
  /** Bytes that came while the asker was not ready. */
  #rest: Buffer | undefined;
  #isEnded = false;
  #writer: BodyWriter | undefined;
  #error: unknown;
  #isHeld = true;

  constructor(owner: ConnectionOwner, opener: Opener, connectTimeoutMs: number) {
    this.#owner = owner;
    const socket = opener.open((bytes) => this.#onBytes(bytes));
    this.#socket = socket;
    this.#endsAreTrue = opener.endsAreTrue;
    socket.once(opener.readyEvent, () => this.#onReady());
    socket.on('error', (error) => this.#onError(error));
    socket.on('end', () => this.#onFin());
    socket.on('close', () => this.#onClosed());
    socket.on('drain', () => this.#writer?.go());
    this.#timer = setTimeout(
      () => this.close(new WireError('connect-timeout', 'not connected in time')),
      connectTimeoutMs,
    );
  }

  get keepAliveSeconds(): number | undefined {
    return this.#parser.keepAliveSeconds;
  }

  /**
   * No byte of an earlier request, answered before it was read, stands in the way of the next. Not to be asked when an answer
   * ends: TLS tells of what is written at the end of the turn only.
   */
  get isClear(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** For a connection that is open and free. */
  send(asker: Asker): void {
    this.hold();
    this.#asker = asker;
    this.#parser.expect(asker.method);
    asker.onSent(this);
    if (asker.body instanceof PulledBody) void this.#pull(asker, asker.body);
    else writeWhole(this.#socket, asker, asker.body);
  }

  resume(): void {
    if (!this.#parser.paused) return;
    this.#parser.paused = false;
    const rest = this.#rest ?? nothing;
    this.#rest = undefined;
    if (!this.#feed(rest)) return;
    if (this.#isEnded) this.#onFin();
    if (this.#socket.closed) this.#onClosed();
    else this.#socket.resume();
  }

  abandon(): void {
    this.#asker = undefined;
    this.close(undefined);
  }

  /** `error` is for whoever waits for it. */
  close(error: unknown): void {
    if (this.#phase === 'gone') return;
    const wasConnecting = this.#phase === 'connecting';
    const asker = this.#asker;
    this.#phase = 'gone';
    this.#asker = undefined;
    clearTimeout(this.#timer);
    this.#parser.stop();
    this.#socket.destroy();
    this.#writer?.go();
    if (wasConnecting) this.#owner.onFailed(this, error);
    else this.#owner.onGone(this);
    asker?.onCut(error);
  }

  /** Lets the process end although the connection is open. */
  letGo(): void {
    if (this.#isHeld) this.#socket.unref();
    this.#isHeld = false;
  }

  hold(): void {
    if (!this.#isHeld) this.#socket.ref();
    this.#isHeld = true;
  }

  onHead(status: number, reason: string, headers: readonly string[]): void {
    this.#status = status;
    this.#asker?.onHead(status, reason, headers);
  }

  onData(chunk: Buffer): boolean {
    return this.#asker?.onData(chunk) ?? true;
  }

  onEnd(): void {
    const asker = this.#asker;
    this.#asker = undefined;
    this.served++;
    // OpenSearch keeps the connection open after a malformed or over-long header, yet ignores what follows on it.
    const isSound = this.#writer === undefined && this.#socket.errored === null && this.#status !== 400;
    const isReusable = this.#parser.reusable && isSound;
    if (isReusable) this.#owner.onFree(this);
    else this.close(undefined);
    asker?.onEnd();
  }

  #onReady(): void {
    clearTimeout(this.#timer);
    if (this.#phase !== 'connecting') return;
    this.#phase = 'open';
    this.#owner.onReady(this);
  }

  /** Returns whether more may be read. */
  #onBytes(bytes: Buffer): boolean {
    if (this.#phase === 'gone') return true;
    if (!this.#parser.paused) return this.#feed(bytes);
    this.#rest = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes]);
    return false;
  }

  #feed(bytes: Buffer): boolean {
    try {
      const taken = this.#parser.push(bytes);
      if (this.#parser.paused) this.#rest = bytes.subarray(taken);
      // Nobody asked for these: the next request would take them for its answer.
      else if (taken < bytes.length) this.close(new WireError('invalid', 'bytes that nobody asked for'));
    } catch (error) {
      this.close(error);
    }
    return !this.#parser.paused;
  }

  #onFin(): void {
    this.#isEnded = true;
    if (this.#parser.paused) return;
    try {
      if (!this.#endsAreTrue || !this.#parser.finish()) this.close(this.#cut());
    } catch (error) {
      this.close(error);
    }
  }

  /** TLS tells why before it ends: a client certificate that has expired, for one. */
  #cut(): WireError {
    return new WireError('cut', 'other side closed', this.#error === undefined ? {} : { cause: this.#error });
  }

  /** TLS reads to the end at once, so what the asker has not taken yet may be all there. */
  #onClosed(): void {
    if (!this.#parser.paused) this.close(this.#error ?? new WireError('cut', 'closed'));
  }

  /** A connection at rest is given up at once: the close is told only after the end of this turn, when requests are sent. */
  #onError(error: unknown): void {
    this.#error = error;
    if (this.#phase === 'open' && this.#asker === undefined) this.close(error);
  }

  async #pull(asker: Asker, body: PulledBody): Promise<void> {
    this.#writer = new BodyWriter(this.#socket, asker);
    try {
      await this.#writer.pull(body);
      this.#writer = undefined;
    } catch (error) {
      if (this.#asker === asker) this.close(error);
    }
  }
}
