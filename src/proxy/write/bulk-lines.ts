/**
 * Takes a bulk body apart into actions, as the server does it: an action line, then a source line unless it is a delete;
 * blank lines between actions are skipped; an action whose source line is missing at the end is dropped. Nothing is
 * copied. A body that the server refuses as a whole is `malformed`, and `refusable` makes of it one that can only be
 * refused, so that the client gets the server's own message and nothing is applied on the way.
 */
import { eachMember, type Slice, skipSpace } from '../../json/scan.ts';
import { type Lines, splitLines, withoutCarriageReturn } from './ndjson.ts';
import { type WriteOp, writeOps } from './post-image.ts';

export type BulkAction = {
  readonly op: WriteOp;
  readonly line: Slice;
  /** The source line without its line break; undefined for a delete. */
  readonly source: Slice | undefined;
  /** `_index` of the line. */
  readonly index: string | undefined;
};
export type BulkBody =
  | { readonly kind: 'actions'; readonly actions: readonly BulkAction[] }
  /** `lineNumber` counts from 1; `line` is undefined when only the final line break is missing. */
  | { readonly kind: 'malformed'; readonly lineNumber: number; readonly line: Slice | undefined };

export const parseBulk = (body: Buffer): BulkBody => {
  const split = splitLines(body);
  const actions: BulkAction[] = [];
  for (let n = 0; n < split.lines.length; n++) {
    const line = split.lines[n] as Slice;
    if (isBlank(body, line)) continue;
    const action = readAction(body, line);
    if (action === undefined) return { kind: 'malformed', lineNumber: n + 1, line };
    if (action.op === 'delete') actions.push({ ...action, line, source: undefined });
    else {
      n++;
      const source = split.lines[n];
      if (source !== undefined) actions.push({ ...action, line, source: withoutCarriageReturn(body, source) });
    }
  }
  return ended(body, split, actions);
};

const ended = (body: Buffer, { lines, rest }: Lines, actions: BulkAction[]): BulkBody =>
  rest.end > rest.start && body.length > 0
    ? { kind: 'malformed', lineNumber: lines.length + 1, line: undefined }
    : { kind: 'actions', actions };

const isBlank = (body: Buffer, { start, end }: Slice): boolean => skipSpace(body, start) >= end;

const readAction = (body: Buffer, { start, end }: Slice): Pick<BulkAction, 'op' | 'index'> | undefined => {
  try {
    const text = body.toString('utf8', start, end);
    const line: unknown = JSON.parse(text);
    const [entry, ...more] = isObject(line) ? Object.entries(line) : [];
    if (entry === undefined || more.length > 0) return undefined;
    const [op, meta] = entry;
    if (!isWriteOp(op) || !isObject(meta)) return undefined;
    if (mayNameTwice(text) && namesTwice(body, start)) return undefined;
    return { op, index: nameOf(meta['_index']) };
  } catch {
    return undefined;
  }
};

const isWriteOp = (text: string): text is WriteOp => (writeOps as readonly string[]).includes(text);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** The server takes a number or a boolean for a name, too. */
const nameOf = (value: unknown): string | undefined =>
  value === undefined || value === null || typeof value === 'object' ? undefined : String(value);

/** Spares almost every line the second look; a backslash may spell a key in another way. */
const mayNameTwice = (text: string): boolean =>
  text.includes('\\') || text.indexOf('_index') !== text.lastIndexOf('_index');

/** Two `_index` members: JSON.parse would pick one, the server refuses the line. */
const namesTwice = (body: Buffer, at: number): boolean => {
  let names = 0;
  eachMember(body, at, (_op, meta) => {
    eachMember(body, meta.start, (key) => {
      if (key === '_index') names++;
    });
  });
  return names > 1;
};

/**
 * The malformed line under its own number, and no line break at the end: the server reads the whole body before it
 * applies anything and refuses either the line or, at the latest, the missing line break.
 */
export const refusable = (body: Buffer, malformed: Extract<BulkBody, { kind: 'malformed' }>): Buffer => {
  const { line, lineNumber } = malformed;
  if (line === undefined) return Buffer.from('x');
  const blankLines = Buffer.alloc(lineNumber - 1, '\n');
  return Buffer.concat([blankLines, body.subarray(line.start, line.end), Buffer.from('\nx')]);
};
