/**
 * Takes the body of msearch, mget and mtermvectors apart into items, so that each item can go to the side that its index
 * belongs to. multi-compose.ts puts items together again, multi-answer.ts merges their answers in the client's order; none of
 * them knows routes or sides. Throws SyntaxError for a body that the server would refuse too: the caller then sends it on as
 * it is.
 */
import { eachElement, members, parseSlice, type Slice, skipSpace, textOf } from '../../json/scan.ts';
import type { Family } from '../types.ts';

export type MultiItem = {
  /** Index expression of this item; undefined = the default of the path. */
  readonly expression: string | undefined;
  /** Document id of mget and mtermvectors. */
  readonly id: string | undefined;
  readonly routing: string | undefined;
  /** Of an msearch header. */
  readonly preference?: string | undefined;
  /** Of an msearch header. */
  readonly ignoreUnavailable?: boolean | undefined;
  /** msearch: the header line (may be empty). Documents: the element itself. */
  readonly head: Slice;
  /** msearch: the search body. Absent for documents. */
  readonly search: Slice | undefined;
};

/** `lines`: msearch. `docs`: a list of document objects. `ids`: plain ids of the default index, never split. */
export type MultiBody = {
  readonly form: 'lines' | 'docs' | 'ids';
  readonly buf: Buffer;
  readonly items: readonly MultiItem[];
  /** The `docs` array, brackets included. */
  readonly list: Slice | undefined;
};

const NEWLINE = 0x0a;
const OBJECT = 0x7b;

export const isLines = (family: Family): boolean => family === 'msearch' || family === 'msearch_template';

export const parseMulti = (family: Family, body: Buffer): MultiBody =>
  isLines(family) ? { form: 'lines', buf: body, items: parseLines(body), list: undefined } : parseDocs(body);

/**
 * Line ranges without their line feed. As on the server, a line feed at the very start is skipped, and the last one is due:
 * a body without it holds nothing, since every server refuses it.
 */
const linesOf = (buf: Buffer): Slice[] => {
  const lines: Slice[] = [];
  for (let start = buf[0] === NEWLINE ? 1 : 0; start < buf.length;) {
    const end = buf.indexOf(NEWLINE, start);
    if (end < 0) return [];
    lines.push({ start, end });
    start = end + 1;
  }
  return lines;
};

export const isBlank = (buf: Buffer, { start, end }: Slice): boolean => skipSpace(buf.subarray(0, end), start) >= end;

const parseLines = (buf: Buffer): MultiItem[] => {
  const lines = linesOf(buf);
  const items: MultiItem[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const head = lines[i] as Slice;
    const search = lines[i + 1];
    if (search === undefined) {
      // Blank lines after the last item: the server skips them.
      if (isBlank(buf, head)) break;
      throw new SyntaxError('msearch header without a body');
    }
    items.push({ ...headerFacts(buf, head), id: undefined, head, search });
  }
  return items;
};

const headerFacts = (
  buf: Buffer,
  head: Slice,
): Pick<MultiItem, 'expression' | 'routing' | 'preference' | 'ignoreUnavailable'> => {
  if (isBlank(buf, head)) return { expression: undefined, routing: undefined };
  const found = members(buf.subarray(0, head.end), head.start, [
    'index',
    'indices',
    'routing',
    'preference',
    'ignore_unavailable',
  ]);
  const index = found.index ?? found.indices;
  return {
    expression: index === undefined ? undefined : expressionOf(parseSlice(buf, index)),
    routing: textOf(buf, found.routing),
    preference: textOf(buf, found.preference),
    ignoreUnavailable: flagIn(buf, found.ignore_unavailable),
  };
};

const flagIn = (buf: Buffer, slice: Slice | undefined): boolean | undefined => {
  const text = textOf(buf, slice);
  return text === undefined ? undefined : text === 'true';
};

const expressionOf = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.join(',');
  return undefined;
};

const parseDocs = (buf: Buffer): MultiBody => {
  const { docs, ids } = members(buf, 0, ['docs', 'ids']);
  if (docs !== undefined) return { form: 'docs', buf, items: docItems(buf, docs), list: docs };
  return { form: 'ids', buf, items: ids === undefined ? [] : idItems(buf, ids), list: undefined };
};

const docItems = (buf: Buffer, docs: Slice): MultiItem[] => {
  const items: MultiItem[] = [];
  eachElement(buf, docs.start, (head) => {
    if (buf[head.start] !== OBJECT) throw new SyntaxError('a document must be an object');
    const found = members(buf, head.start, ['_index', '_id', 'routing', '_routing']);
    items.push({
      expression: textOf(buf, found._index),
      id: textOf(buf, found._id),
      routing: textOf(buf, found.routing ?? found._routing),
      head,
      search: undefined,
    });
  });
  return items;
};

const idItems = (buf: Buffer, ids: Slice): MultiItem[] => {
  const items: MultiItem[] = [];
  eachElement(buf, ids.start, (head) => {
    items.push({
      expression: undefined,
      id: textOf(buf, head),
      routing: undefined,
      head,
      search: undefined,
    });
  });
  return items;
};

/** Ids given as a parameter; there is no body. */
export const idsOfQuery = (ids: string | undefined): MultiBody => {
  const nowhere = { start: 0, end: 0 };
  const items = (ids?.split(',') ?? []).map((id) => ({
    expression: undefined,
    id,
    routing: undefined,
    head: nowhere,
    search: undefined,
  }));
  return { form: 'ids', buf: Buffer.alloc(0), items, list: undefined };
};
