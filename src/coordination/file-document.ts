/**
 * The contents of an embedded store's file and every change to them, as pure functions on an immutable value. Revisions
 * grow by one with each write and are never used again; a deleted key leaves a tombstone with its revision, so that a
 * reader in another process learns of the deletion.
 */
import * as z from 'zod';
import type { Change, Entry } from './ports.ts';

/** `value` null = deleted. `expiresAtMs` is wall time: all readers are on this host. */
const FileEntry = z.strictObject({
  value: z.string().nullable(),
  revision: z.int().min(1),
  expiresAtMs: z.number().optional(),
});
type FileEntry = z.infer<typeof FileEntry>;
const FileContents = z.strictObject({
  schema: z.literal(1),
  incarnation: z.string().min(1),
  revision: z.int().min(0),
  // A list, because an object cannot hold every key.
  entries: z.array(FileEntry.extend({ key: z.string() })),
});

export type FileDocument = {
  readonly incarnation: string;
  readonly revision: number;
  readonly entries: ReadonlyMap<string, FileEntry>;
};

export const emptyDocument = (incarnation: string): FileDocument => ({ incarnation, revision: 0, entries: new Map() });

/** Undefined when the text is not a whole document. */
export const parseDocument = (text: string): FileDocument | undefined => {
  try {
    const { data } = FileContents.safeParse(JSON.parse(text));
    if (data === undefined) return undefined;
    const { incarnation, revision } = data;
    return { incarnation, revision, entries: new Map(data.entries.map(({ key, ...entry }) => [key, entry])) };
  } catch {
    return undefined;
  }
};

export const renderDocument = ({ incarnation, revision, entries }: FileDocument): string => {
  const list = [...entries].map(([key, entry]) => ({ key, ...entry }));
  return `${JSON.stringify({ schema: 1, incarnation, revision, entries: list }, null, 1)}\n`;
};

const isAlive = (entry: FileEntry | undefined, nowMs: number): entry is FileEntry & { value: string } =>
  entry !== undefined && entry.value !== null && (entry.expiresAtMs === undefined || entry.expiresAtMs > nowMs);

export const entryOf = (document: FileDocument, key: string, nowMs: number): Entry | undefined => {
  const entry = document.entries.get(key);
  return isAlive(entry, nowMs) ? { key, value: entry.value, revision: entry.revision } : undefined;
};

export const entriesOf = (document: FileDocument, prefix: string, nowMs: number): Entry[] =>
  [...document.entries].flatMap(([key, entry]) =>
    key.startsWith(prefix) && isAlive(entry, nowMs) ? [{ key, value: entry.value, revision: entry.revision }] : [],
  );

/**
 * Entries that would outlive any that is written now are of before the clock was set back: nobody may have written them
 * for long. One more life is allowed, so that a clock that is corrected by a little ends nothing.
 */
export const withoutFuture = (
  document: FileDocument,
  { nowMs, ttlMs }: { nowMs: number; ttlMs: number },
): FileDocument => {
  const isOf = ({ expiresAtMs = 0 }: FileEntry): boolean => expiresAtMs > nowMs + 2 * ttlMs;
  if (![...document.entries.values()].some(isOf)) return document;
  const entries = [...document.entries].map(
    ([key, entry]) => [key, isOf(entry) ? { ...entry, expiresAtMs: 0 } : entry] as const,
  );
  return { ...document, entries: new Map(entries) };
};

/** As far as they are remembered; oldest first. */
export const deletionsIn = ({ entries }: FileDocument): Change[] =>
  [...entries]
    .flatMap(([key, { value, revision }]) => (value === null ? [{ key, value: undefined, revision }] : []))
    .sort((a, b) => a.revision - b.revision);

export type Write = {
  key: string;
  /** Null deletes. */
  value: string | null;
  /** Revision that must be the last one; 0 = the key must not exist; undefined = whatever there is. */
  expected?: number | undefined;
  ttlMs?: number | undefined;
  nowMs: number;
};

export const writeEntry = (document: FileDocument, write: Write): FileDocument | 'conflict' => {
  const { key, value, expected, ttlMs, nowMs } = write;
  const current = entryOf(document, key, nowMs)?.revision ?? 0;
  if (expected !== undefined && expected !== current) return 'conflict';
  const revision = document.revision + 1;
  const entries = new Map(prune(document, nowMs));
  entries.set(key, { value, revision, ...(ttlMs !== undefined && { expiresAtMs: nowMs + ttlMs }) });
  return { ...document, revision, entries };
};

/** Readers poll far more often than so many deletions are made. */
const maxTombstones = 500;
const prune = ({ entries }: FileDocument, nowMs: number): [string, FileEntry][] => {
  const kept = [...entries].filter(([, entry]) => entry.value === null || isAlive(entry, nowMs));
  const tombstones = kept.filter(([, entry]) => entry.value === null).map(([, entry]) => entry.revision);
  const oldest = tombstones.sort((a, b) => b - a)[maxTombstones - 1] ?? 0;
  return kept.filter(([, entry]) => entry.value !== null || entry.revision >= oldest);
};

/** What a reader who knew `before` at `thenMs` has to be told; oldest first. */
export const changesBetween = (
  before: { document: FileDocument; atMs: number },
  after: { document: FileDocument; atMs: number },
): Change[] => {
  const changes: Change[] = [];
  for (const [key, entry] of after.document.entries) {
    const known = before.document.entries.get(key);
    if (entry.revision !== known?.revision && entry.value !== null && isAlive(entry, after.atMs))
      changes.push({ key, value: entry.value, revision: entry.revision });
    if (entry.revision !== known?.revision && entry.value === null)
      changes.push({ key, value: undefined, revision: entry.revision });
  }
  return [...changes, ...expiries(before, after)].sort((a, b) => a.revision - b.revision);
};

/** The last revision that stands in both, unchanged. */
export const keptOf = (before: FileDocument, after: FileDocument): number => {
  const kept = [...after.entries].filter(([key, { revision, value }]) => {
    const known = before.entries.get(key);
    return known?.revision === revision && known.value === value;
  });
  return Math.max(0, ...kept.map(([, { revision }]) => revision));
};

const expiries = (
  before: { document: FileDocument; atMs: number },
  after: { document: FileDocument; atMs: number },
): Change[] =>
  entriesOf(before.document, '', before.atMs)
    .filter(({ key }) => {
      const now = after.document.entries.get(key);
      return now === undefined || (now.value !== null && !isAlive(now, after.atMs));
    })
    .map(({ key }) => ({ key, value: undefined, revision: after.document.revision, expired: true }));
