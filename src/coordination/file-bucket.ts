/**
 * One bucket of the embedded store: a JSON file that is replaced as a whole, so a reader always sees a complete one.
 * Writers of all processes take turns by a lock file and read before they write; readers notice a replaced file within
 * a tenth of a second. Invariant: where the contents must last, a file that is missing, damaged or another one is an error,
 * never an empty bucket.
 */
import type { BigIntStats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { CrossfadeError } from '../errors.ts';
import { replaceFile } from './atomic-file.ts';
import {
  changesBetween,
  deletionsIn,
  emptyDocument,
  entriesOf,
  entryOf,
  type FileDocument,
  keptOf,
  parseDocument,
  renderDocument,
  withoutFuture,
  type Write,
  writeEntry,
} from './file-document.ts';
import { type StillMine, withFileLock } from './file-lock.ts';
import type { Bucket, CasResult, Change, Entry, Loss, Reach } from './ports.ts';
import type { Timers } from './timers.ts';

export type FileBucketOptions = {
  file: string;
  /** Entries expire so long after their last write; undefined = never. */
  ttlMs?: number | undefined;
  /** Survives a power failure; heartbeats need not, and a file of theirs that is damaged is begun anew. */
  durable: boolean;
  pollMs: number;
  timers: Timers;
  /** Wall milliseconds: expiry is shared with other processes. */
  wallMs: () => number;
  /** Refuses a file that is not the one that was pinned. */
  accept: (incarnation: string) => string | undefined;
  /** A new document for a missing file; undefined = its absence is an error. */
  create: () => FileDocument | undefined;
  onLook: (error: CrossfadeError | undefined) => void;
};

type Told = { document: FileDocument; atMs: number };
/** Even a file that looks unchanged is read once in so many polls. */
const fullReadEvery = 20;

export class FileBucket implements Bucket {
  readonly #options: FileBucketOptions;
  readonly #listeners = new Set<(change: Change) => void>();
  #told: Told | undefined;
  #print = '';
  #polls = 0;
  #highest = 0;
  #losses = 0;
  #lost: Loss = { end: 0, kept: 0 };
  #cancelPoll: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: FileBucketOptions) {
    this.#options = options;
  }

  async get(key: string): Promise<Entry | undefined> {
    return entryOf(await this.#look(), key, this.#options.wallMs());
  }

  async list(prefix: string): Promise<Entry[]> {
    return entriesOf(await this.#look(), prefix, this.#options.wallMs());
  }

  async put(key: string, value: string): Promise<number> {
    const document = await this.#write({ key, value });
    if (document === 'conflict') throw new CrossfadeError('INTERNAL');
    return document.revision;
  }

  async update(key: string, value: string, expected: number): Promise<CasResult> {
    try {
      const document = await this.#write({ key, value, expected });
      return document === 'conflict' ? { ok: false, reason: 'conflict' } : { ok: true, revision: document.revision };
    } catch {
      return { ok: false, reason: 'unavailable' };
    }
  }

  async delete(key: string, expected?: number): Promise<void> {
    if ((await this.#write({ key, value: null, expected })) === 'conflict') throw new CrossfadeError('STORE_CONFLICT');
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    for (const change of this.#told === undefined ? [] : deletionsIn(this.#told.document)) listener(change);
    if (this.#cancelPoll === undefined) this.#schedulePoll();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.stopPolling();
    };
  }

  stopPolling(): void {
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
  }

  reach(): Reach {
    return { lastRevision: this.#told?.document.revision ?? 0, losses: this.#losses, lost: this.#lost };
  }

  /** The file holds a lower revision than it did: it was replaced by an older copy. */
  get lostWrites(): boolean {
    return (this.#told?.document.revision ?? 0) < this.#highest;
  }

  /** Reads, and creates the file when it is missing and that is allowed. */
  async initialise(): Promise<void> {
    await this.#inTurn(() =>
      this.#locked(async (stillMine) => {
        const document = await this.#load({ fresh: true });
        if (this.#print === '') await this.#save(document, stillMine);
      }),
    );
  }

  async #write(write: Omit<Write, 'nowMs' | 'ttlMs'>): Promise<FileDocument | 'conflict'> {
    const { ttlMs, wallMs } = this.#options;
    return await this.#inTurn(() =>
      this.#locked(async (stillMine) => {
        const known = await this.#load({ fresh: true });
        // Reads that come before the next poll take what was told for what the file holds.
        this.#tell(known);
        const document = writeEntry(known, { ...write, ttlMs, nowMs: wallMs() });
        if (document === 'conflict') return document;
        await this.#save(document, stillMine);
        this.#tell(document);
        return document;
      }),
    );
  }

  #locked<T>(work: (stillMine: StillMine) => Promise<T>): Promise<T> {
    return withFileLock(`${this.#options.file}.lock`, work);
  }

  async #look(): Promise<FileDocument> {
    return await this.#inTurn(async () => {
      const document = await this.#load({ fresh: false });
      this.#tell(document);
      return document;
    });
  }

  /** One at a time in this process, reads too, so that news are told in the order they were made. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => undefined);
    try {
      const result = await run;
      this.#options.onLook(undefined);
      return result;
    } catch (error) {
      const mapped = asStoreError(error, this.#options.file);
      this.#options.onLook(mapped);
      throw mapped;
    }
  }

  /** `fresh`: before a write the file is read even if it looks unchanged. */
  async #load({ fresh }: { fresh: boolean }): Promise<FileDocument> {
    const { file, accept, create } = this.#options;
    // The print is taken first: a file replaced in between is then read again next time.
    const print = await printOf(file);
    if (print === undefined) return this.#missing(create());
    const known = !fresh && print === this.#print && this.#polls % fullReadEvery !== 0;
    if (known && this.#told !== undefined) return this.#told.document;
    const document = parseDocument(await readFile(file, 'utf8'));
    if (document === undefined) return this.#damaged();
    const refusal = accept(document.incarnation);
    if (refusal !== undefined) throw new CrossfadeError('STORE_UNAVAILABLE', refusal);
    this.#print = print;
    const { ttlMs, wallMs } = this.#options;
    return ttlMs === undefined ? document : withoutFuture(document, { nowMs: wallMs(), ttlMs });
  }

  #missing(created: FileDocument | undefined): FileDocument {
    if (created === undefined)
      throw new CrossfadeError(
        'STORE_UNAVAILABLE',
        `The store file ${this.#options.file} has vanished; the last known state stays in force`,
      );
    this.#print = '';
    // Readers take a lower revision for older news.
    return { ...created, revision: Math.max(created.revision, this.#highest) };
  }

  #damaged(): FileDocument {
    const { file, durable, create } = this.#options;
    if (!durable) return this.#missing(create());
    const meanwhile =
      this.#told === undefined
        ? 'put back a whole copy of it; a new one would know none of its routes'
        : 'the last known state stays in force';
    throw new CrossfadeError('STORE_UNAVAILABLE', `The store file ${file} is damaged; ${meanwhile}`);
  }

  async #save(document: FileDocument, stillMine: StillMine): Promise<void> {
    const { file, durable } = this.#options;
    await replaceFile(file, renderDocument(document), {
      durable,
      beforeRename: async () => {
        if (!(await stillMine())) throw new CrossfadeError('STORE_UNAVAILABLE', `The lock of ${file} was taken over`);
      },
    });
    this.#print = (await printOf(file)) ?? '';
  }

  #tell(document: FileDocument): void {
    const after = { document, atMs: this.#options.wallMs() };
    const before = this.#told ?? { document: emptyDocument(document.incarnation), atMs: after.atMs };
    this.#told = after;
    if (document.revision < before.document.revision)
      this.#noteLoss({ end: document.revision, kept: keptOf(before.document, document) });
    this.#highest = Math.max(this.#highest, document.revision);
    for (const change of changesBetween(before, after)) for (const listener of this.#listeners) listener(change);
  }

  #noteLoss(lost: Loss): void {
    this.#losses += 1;
    this.#lost = lost;
  }

  #schedulePoll(): void {
    const { timers, pollMs } = this.#options;
    this.#cancelPoll = timers.set(() => {
      this.#polls += 1;
      const look = this.#look().catch(() => undefined);
      void look.then(() => {
        if (this.#cancelPoll !== undefined) this.#schedulePoll();
      });
    }, pollMs);
  }
}

const asStoreError = (error: unknown, file: string): CrossfadeError =>
  error instanceof CrossfadeError
    ? error
    : new CrossfadeError('STORE_UNAVAILABLE', `The store file ${file} cannot be used: ${(error as Error).message}`, {
        cause: error,
      });

const printOf = async (file: string): Promise<string | undefined> => {
  try {
    const { ino, mtimeNs, ctimeNs, size }: BigIntStats = await stat(file, { bigint: true });
    return `${ino}/${mtimeNs}/${ctimeNs}/${size}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};
