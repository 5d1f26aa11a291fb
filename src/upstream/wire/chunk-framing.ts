/**
 * What stands between the data of a chunked body: sizes, extensions, line ends and trailers, byte by byte, for these are
 * few. Extensions and trailers are checked and dropped. A byte out of place is an error: the length of what follows would
 * be a guess.
 */
import { invalidAnswer } from './answer-head.ts';

type Place =
  | 'size-first'
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer-first'
  | 'trailer-name'
  | 'trailer-value'
  | 'trailer-lf'
  | 'end-lf'
  | 'ended';

const cr = 0x0d;
const lf = 0x0a;
const colon = 0x3a;
const semicolon = 0x3b;
/** Sizes beyond it are no numbers that JavaScript can count by. */
const maxSize = 2 ** 48;
/** Extensions of one chunk, and trailers. */
const maxDroppedBytes = 16 * 1024;

const hexValue = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
};
const isText = (byte: number): boolean => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f);
const isToken = (byte: number): boolean =>
  byte > 0x20 && byte < 0x7f && !'"(),/:;<=>?@[\\]{}'.includes(String.fromCharCode(byte));

export class ChunkFraming {
  /** Bytes of data that come next; taken off by who reads them. */
  left = 0;
  #place: Place = 'size-first';
  #size = 0;
  #dropped = 0;

  /** At the first byte of a body. */
  begin(): void {
    this.left = 0;
    this.#place = 'size-first';
    this.#dropped = 0;
  }

  get ended(): boolean {
    return this.#place === 'ended';
  }

  /**
   * Reads from `at` up to the next data or the end. Returns where it stopped.
   * @throws WireError invalid
   */
  read(bytes: Uint8Array, at: number): number {
    let i = at;
    if (this.#place === 'data') this.#place = 'data-cr';
    while (i < bytes.length && this.left === 0 && this.#place !== 'ended') {
      this.#place = this.#next(bytes[i] as number);
      i++;
    }
    return i;
  }

  #next(byte: number): Place {
    switch (this.#place) {
      case 'size-first':
        this.#size = 0;
        return this.#digit(byte);
      case 'size':
        if (byte === cr) return 'size-lf';
        return byte === semicolon ? 'extension' : this.#digit(byte);
      case 'extension':
        return byte === cr ? 'size-lf' : this.#drop(isText(byte), 'extension');
      case 'size-lf':
        return this.#sized(byte);
      case 'data-cr':
        return expect(byte === cr, 'data-lf');
      case 'data-lf':
        return expect(byte === lf, 'size-first');
      default:
        return this.#trailer(byte);
    }
  }

  #trailer(byte: number): Place {
    switch (this.#place) {
      case 'trailer-first':
        return byte === cr ? 'end-lf' : this.#drop(isToken(byte), 'trailer-name');
      case 'trailer-name':
        return byte === colon ? 'trailer-value' : this.#drop(isToken(byte), 'trailer-name');
      case 'trailer-value':
        return byte === cr ? 'trailer-lf' : this.#drop(isText(byte), 'trailer-value');
      case 'trailer-lf':
        return expect(byte === lf, 'trailer-first');
      default:
        return expect(byte === lf, 'ended');
    }
  }

  #digit(byte: number): Place {
    const value = hexValue(byte);
    this.#size = this.#size * 16 + value;
    return expect(value >= 0 && this.#size < maxSize, 'size');
  }

  #sized(byte: number): Place {
    this.left = this.#size;
    return expect(byte === lf, this.#size === 0 ? 'trailer-first' : 'data');
  }

  #drop(allowed: boolean, place: Place): Place {
    return expect(allowed && ++this.#dropped <= maxDroppedBytes, place);
  }
}

const expect = (isSo: boolean, place: Place): Place => {
  if (!isSo) throw invalidAnswer('malformed chunks');
  return place;
};
