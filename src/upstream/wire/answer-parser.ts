/**
 * Bytes of a connection into the answer to one request: head, pieces of the body, end. However the bytes are cut, the
 * answer is the same. Bytes beyond the end are left unread: who asked nothing more must not be answered. Pieces are views
 * of what was given. Pure: what it finds it tells the listener at once.
 */
import { latin1 } from '../latin1.ts';
import { type AnswerHead, type Framing, invalidAnswer, readAnswerHead } from './answer-head.ts';
import { ChunkFraming } from './chunk-framing.ts';

export interface AnswerListener {
  onHead(status: number, reason: string, headers: readonly string[]): void;
  /** false = nothing more until `paused` is unset and `push` called again. */
  onData(chunk: Buffer): boolean;
  onEnd(): void;
}

/** Answers may carry many Warning headers. With the interim answers before it. */
export const maxHeadBytes = 256 * 1024;
/** Nearly all heads end within it. */
const usualHeadBytes = 1024;
const headEnd = '\r\n\r\n';
const firstBytes = 'HTTP/1.';
const bareLineFeed = /[^\r]\n/;

type Phase = 'idle' | 'head' | Framing;

export class AnswerParser {
  paused = false;
  reusable = false;
  keepAliveSeconds: number | undefined;
  readonly #listener: AnswerListener;
  readonly #chunks = new ChunkFraming();
  #phase: Phase = 'idle';
  #method = '';
  /** Bytes of a body of known length that are still to come. */
  #left = 0;
  /** The beginning of a head that has not come whole. */
  #held: Buffer | undefined;
  #heldBytes = 0;
  /** Of this answer's heads, read already. */
  #headBytes = 0;

  constructor(listener: AnswerListener) {
    this.#listener = listener;
  }

  /** A request was sent: one answer is expected. */
  expect(method: string): void {
    this.#method = method;
    this.#phase = 'head';
    this.#headBytes = 0;
    this.paused = false;
    this.reusable = false;
  }

  /** Whatever comes, nothing more is told. */
  stop(): void {
    this.#phase = 'idle';
    this.#held = undefined;
    this.#heldBytes = 0;
  }

  /**
   * Returns how many bytes were taken: less than all when the answer has ended, was stopped, or is paused.
   * @throws WireError invalid
   */
  push(bytes: Buffer): number {
    let at = 0;
    while (!this.paused && this.#phase !== 'idle') {
      if (this.#isAtEnd()) {
        // What follows is nobody's, even if a further request begins within.
        this.#end();
        break;
      }
      if (at === bytes.length) break;
      at = this.#read(bytes, at);
    }
    return at;
  }

  /** The server has closed its side. Returns whether that ended the answer well. */
  finish(): boolean {
    if (this.#phase !== 'close') return false;
    this.#end();
    return true;
  }

  #read(bytes: Buffer, at: number): number {
    if (this.#phase === 'head') return this.#heldBytes === 0 ? this.#readHead(bytes, at) : this.#readHeld(bytes, at);
    if (this.#phase === 'chunked' && this.#chunks.left === 0) return this.#chunks.read(bytes, at);
    return this.#readData(bytes, at);
  }

  #isAtEnd(): boolean {
    switch (this.#phase) {
      case 'none':
        return true;
      case 'length':
        return this.#left === 0;
      case 'chunked':
        return this.#chunks.ended;
      default:
        return false;
    }
  }

  #end(): void {
    this.#phase = 'idle';
    this.#listener.onEnd();
  }

  #readData(bytes: Buffer, at: number): number {
    const there = bytes.length - at;
    const wanted = this.#phase === 'length' ? this.#left : this.#phase === 'chunked' ? this.#chunks.left : there;
    const size = wanted < there ? wanted : there;
    if (this.#phase === 'length') this.#left -= size;
    else if (this.#phase === 'chunked') this.#chunks.left -= size;
    if (!this.#listener.onData(bytes.subarray(at, at + size))) this.paused = true;
    return at + size;
  }

  #readHead(bytes: Buffer, at: number): number {
    let text = latin1(bytes, at, Math.min(bytes.length, at + usualHeadBytes));
    let end = text.indexOf(headEnd);
    if (end < 0 && bytes.length - at > usualHeadBytes) {
      text = latin1(bytes, at, Math.min(bytes.length, at + maxHeadBytes));
      end = text.indexOf(headEnd);
    }
    if (end < 0) {
      this.#hold(bytes, at);
      this.#checkHeld(0);
      return bytes.length;
    }
    this.#begin(text.slice(0, end));
    return at + end + headEnd.length;
  }

  #readHeld(bytes: Buffer, at: number): number {
    const before = this.#heldBytes;
    this.#hold(bytes, at);
    const held = (this.#held as Buffer).subarray(0, this.#heldBytes);
    const end = held.indexOf(headEnd, Math.max(0, before - headEnd.length + 1), 'latin1');
    if (end < 0) {
      this.#checkHeld(before);
      return bytes.length;
    }
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#begin(latin1(held, 0, end));
    return at + end + headEnd.length - before;
  }

  /** Room doubles, so that a head that comes byte by byte is not copied for each of them. */
  #hold(bytes: Buffer, at: number): void {
    const size = this.#heldBytes + bytes.length - at;
    const room = this.#held ?? Buffer.alloc(usualHeadBytes);
    const held = size <= room.length ? room : Buffer.concat([room], Math.max(size, 2 * room.length));
    bytes.copy(held, this.#heldBytes, at);
    this.#held = held;
    this.#heldBytes = size;
    const first = latin1(held, 0, Math.min(size, firstBytes.length));
    if (!firstBytes.startsWith(first)) throw invalidAnswer('no HTTP');
  }

  /** `from`: bytes before it have been checked. Its end would be waited for in vain when lines end otherwise. */
  #checkHeld(from: number): void {
    this.#count(this.#heldBytes);
    const fresh = latin1(this.#held as Buffer, Math.max(0, from - 1), this.#heldBytes);
    if (bareLineFeed.test(fresh)) throw invalidAnswer('a malformed head');
  }

  #count(bytes: number): void {
    if (this.#headBytes + bytes > maxHeadBytes) throw invalidAnswer('a head that is too large');
  }

  #begin(text: string): void {
    this.#count(text.length);
    const head = readAnswerHead(text, this.#method);
    if (head.status === 101) throw invalidAnswer('another protocol');
    // Interim answers end with their head; the answer is still to come.
    if (head.status < 200) this.#headBytes += text.length + headEnd.length;
    else this.#answer(head);
  }

  #answer({ status, reason, headers, framing, length, reusable, keepAliveSeconds }: AnswerHead): void {
    this.reusable = reusable;
    this.keepAliveSeconds = keepAliveSeconds;
    this.#phase = framing;
    this.#left = length;
    if (framing === 'chunked') this.#chunks.begin();
    this.#listener.onHead(status, reason, headers);
  }
}
