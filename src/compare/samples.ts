/**
 * Keeps examples of mismatches: a bounded reservoir per (shape, severity), newest-biased, so that a frequent mismatch
 * cannot push out a rare one and an old one gives way to a new one; the last few that somebody looked at stay, so that
 * what a person works on does not vanish. Bounds on number, bytes and age hold at any moment. What is kept must already be
 * redacted.
 */
import { severityRank } from './findings.ts';
import type { Severity } from './types.ts';

/** What the reservoir needs to know of a sample; `bytes` is its approximate size. */
export type SampleHead = { id: string; shape: string; severity: Severity; atMs: number; bytes: number };

export type ReservoirOptions = {
  perCell: number;
  maxSamples: number;
  maxBytes: number;
  maxAgeMs: number;
  /** How many that were looked at are not replaced by newer ones. */
  maxHeld: number;
};

const defaultReservoirOptions: ReservoirOptions = {
  perCell: 10,
  maxSamples: 1000,
  maxBytes: 32 * 1024 * 1024,
  maxAgeMs: 7 * 24 * 3600_000,
  maxHeld: 20,
};

const cellOf = ({ shape, severity }: SampleHead): string => `${severity} ${shape}`;

export class SampleReservoir<T extends SampleHead> {
  readonly #options: ReservoirOptions;
  /** By id, oldest first. */
  readonly #samples = new Map<string, T>();
  readonly #cells = new Map<string, Set<string>>();
  /** The longest held first; none of them is in a cell. */
  readonly #held = new Set<string>();
  #bytes = 0;

  constructor(options: ReservoirOptions = defaultReservoirOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#samples.size;
  }
  get bytes(): number {
    return this.#bytes;
  }

  get(id: string): T | undefined {
    return this.#samples.get(id);
  }

  /** Somebody looks at it: from now on no newer sample takes its place. */
  hold(id: string): T | undefined {
    const sample = this.#samples.get(id);
    if (sample === undefined) return undefined;
    this.#leaveCell(sample);
    this.#held.delete(id);
    this.#held.add(id);
    if (this.#held.size > this.#options.maxHeld) this.#remove(first(this.#held));
    return sample;
  }

  /** Newest first. */
  list(filter: { severity?: Severity | undefined; shape?: string | undefined } = {}): T[] {
    const { severity, shape } = filter;
    const wanted = (sample: T) =>
      (severity === undefined || sample.severity === severity) && (shape === undefined || sample.shape === shape);
    return [...this.#samples.values()].filter(wanted).reverse();
  }

  /** A new sample always enters; in a full cell it takes the place of a random one. `random` in [0, 1). */
  add(sample: T, random: number): void {
    if (sample.bytes > this.#options.maxBytes) return;
    this.#remove(sample.id);
    const cell = this.#cells.get(cellOf(sample)) ?? new Set();
    if (cell.size >= this.#options.perCell) this.#remove([...cell][Math.floor(random * cell.size)]!);
    this.#insert(sample);
    while (this.#samples.size > this.#options.maxSamples || this.#bytes > this.#options.maxBytes)
      this.#evict(sample.id);
  }

  expire(nowMs: number): void {
    for (const { id, atMs } of this.#samples.values()) if (nowMs - atMs > this.#options.maxAgeMs) this.#remove(id);
  }

  #insert(sample: T): void {
    const name = cellOf(sample);
    const cell = this.#cells.get(name) ?? new Set<string>();
    this.#cells.set(name, cell.add(sample.id));
    this.#samples.set(sample.id, sample);
    this.#bytes += sample.bytes;
  }

  #remove(id: string): void {
    const sample = this.#samples.get(id);
    if (sample === undefined) return;
    this.#samples.delete(id);
    this.#held.delete(id);
    this.#bytes -= sample.bytes;
    this.#leaveCell(sample);
  }

  #leaveCell(sample: T): void {
    const cell = this.#cells.get(cellOf(sample));
    cell?.delete(sample.id);
    if (cell?.size === 0) this.#cells.delete(cellOf(sample));
  }

  /** Over a total bound the fullest cell gives way, the mildest of equally full ones, its oldest sample first; then the held. */
  #evict(keep: string): void {
    const cells = [...this.#cells.values()].map((ids) => ({
      ids,
      first: this.#samples.get([...ids].find((id) => id !== keep) ?? ''),
    }));
    const candidates = cells.flatMap(({ ids, first }) => (first ? [{ size: ids.size, first }] : []));
    if (candidates.length === 0) return this.#remove(first(this.#held));
    const fullest = candidates.reduce((a, b) => (isFuller(b, a) ? b : a));
    this.#remove(fullest.first.id);
  }
}

const first = (ids: Iterable<string>): string => [...ids][0] as string;

type Candidate = { size: number; first: SampleHead };
const isFuller = (a: Candidate, b: Candidate): boolean =>
  a.size !== b.size ? a.size > b.size : severityRank(a.first.severity) > severityRank(b.first.severity);
