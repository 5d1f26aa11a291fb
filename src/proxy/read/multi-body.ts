/**
 * Takes the body of msearch, mget and mtermvectors apart into items and puts any selection of items together again, so
 * that each item can go to the side that its index belongs to and the answers can be merged in the client's order.
 * Items travel byte for byte except for the names that have to change; nothing here knows routes or sides.
 * Throws SyntaxError for a body the server would refuse too: the caller then sends it on as it is.
 */
import { prettyJson } from '../../json/pretty.ts';
import {
  applyEdits,
  type Edit,
  eachElement,
  eachMember,
  memberCuts,
  members,
  parseSlice,
  type Slice,
  skipSpace,
} from '../../json/scan.ts';
import type { Family } from '../types.ts';

export type MultiItem = {
  /** Index expression of this item; undefined = the default of the path. */
  readonly expression: string | undefined;
  /** Document id of mget and mtermvectors. */
  readonly id: string | undefined;
  readonly routing: string | undefined;
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
const QUOTE = 0x22;
const OBJECT = 0x7b;

const isLines = (family: Family): boolean => family === 'msearch' || family === 'msearch_template';

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

const isBlank = (buf: Buffer, { start, end }: Slice): boolean => skipSpace(buf.subarray(0, end), start) >= end;

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

const headerFacts = (buf: Buffer, head: Slice): Pick<MultiItem, 'expression' | 'routing'> => {
  if (isBlank(buf, head)) return { expression: undefined, routing: undefined };
  const found = members(buf.subarray(0, head.end), head.start, ['index', 'indices', 'routing']);
  const index = found.index ?? found.indices;
  return {
    expression: index === undefined ? undefined : expressionOf(parseSlice(buf, index)),
    routing: found.routing === undefined ? undefined : String(parseSlice(buf, found.routing)),
  };
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
    const text = (slice: Slice | undefined) => (slice === undefined ? undefined : String(parseSlice(buf, slice)));
    items.push({
      expression: text(found._index),
      id: text(found._id),
      routing: text(found.routing ?? found._routing),
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
      id: String(parseSlice(buf, head)),
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

/** How an item's own text changes on its way: its index, a routing it did not have, edits inside the search body. */
export type ItemChange = {
  readonly indices: readonly string[] | undefined;
  readonly routing: string | undefined;
  readonly searchEdits: readonly Edit[];
};

export type ChosenItem = { readonly item: MultiItem; readonly change: ItemChange | undefined };

/** The body of a sub-request with the chosen items, in their order. */
export const composeMulti = (body: MultiBody, chosen: readonly ChosenItem[]): Buffer => {
  if (body.form === 'lines') return Buffer.concat(chosen.flatMap((one) => lineParts(body.buf, one)));
  if (body.list === undefined) return body.buf;
  const text = Buffer.concat(chosen.flatMap((one, i) => [Buffer.from(i === 0 ? '[' : ','), docPart(body.buf, one)]));
  return applyEdits(body.buf, [
    { ...body.list, text: Buffer.concat([text, Buffer.from(chosen.length === 0 ? '[]' : ']')]) },
  ]);
};

const newline = Buffer.from('\n');

const lineParts = (buf: Buffer, { item, change }: ChosenItem): Buffer[] => {
  const search = item.search as Slice;
  const raw = buf.subarray(search.start, search.end);
  const head = change === undefined ? buf.subarray(item.head.start, item.head.end) : editHead(buf, item, change);
  return [head, newline, change === undefined ? raw : editSlice(buf, search, change.searchEdits), newline];
};

const docPart = (buf: Buffer, { item, change }: ChosenItem): Buffer =>
  change === undefined ? buf.subarray(item.head.start, item.head.end) : editHead(buf, item, change);

/** Edits are given in positions of the whole body. */
const editSlice = (buf: Buffer, { start, end }: Slice, edits: readonly Edit[]): Buffer =>
  applyEdits(
    buf.subarray(start, end),
    edits.map((edit) => ({ ...edit, start: edit.start - start, end: edit.end - start })),
  );

const indexKeys = { lines: ['index', 'indices'], docs: ['_index'] } as const;

/** Replaces the index, or adds what is missing right after the opening brace. */
const editHead = (buf: Buffer, item: MultiItem, change: ItemChange): Buffer => {
  const isLine = item.search !== undefined;
  const keys: readonly string[] = isLine ? indexKeys.lines : indexKeys.docs;
  const edits: Edit[] = [];
  const added: string[] = [];
  const blank = isBlank(buf, item.head);
  if (change.indices !== undefined) {
    const value = JSON.stringify(isLine ? change.indices : change.indices[0]);
    const places = blank ? [] : placesOf(buf, item.head, keys);
    // The server takes the last of duplicates; giving all of them the same value leaves no doubt.
    edits.push(...places.map((place) => ({ ...place, text: value })));
    if (places.length === 0) added.push(`"${keys[0]}":${value}`);
  }
  if (change.routing !== undefined && item.routing === undefined)
    added.push(`"routing":${JSON.stringify(change.routing)}`);
  if (blank) return Buffer.from(`{${added.join(',')}}`);
  // Documents get another index on the target only, which may not know mapping types.
  const types =
    isLine || change.indices === undefined
      ? []
      : memberCuts(buf.subarray(0, item.head.end), item.head.start, (key) => key === '_type').cuts;
  const all = [
    ...(added.length === 0 ? [] : [insertion(buf, item.head, added)]),
    ...edits,
    ...types.map((cut) => ({ ...cut, text: '' })),
  ];
  return editSlice(
    buf,
    item.head,
    all.sort((one, other) => one.start - other.start),
  );
};

const placesOf = (buf: Buffer, head: Slice, keys: readonly string[]): Slice[] => {
  const places: Slice[] = [];
  eachMember(buf.subarray(0, head.end), head.start, (key, value) => {
    if (keys.includes(key)) places.push(value);
  });
  return places;
};

const insertion = (buf: Buffer, head: Slice, added: readonly string[]): Edit => {
  const at = skipSpace(buf, head.start) + 1;
  const first = buf[skipSpace(buf, at)];
  const follows = first === QUOTE ? ',' : '';
  return { start: at, end: at, text: added.join(',') + follows };
};

/** The parts of an answer that are merged: its items in order, and how long it took. */
export type MultiAnswer = { readonly items: readonly Buffer[]; readonly tookMs: number | undefined };

/** @throws SyntaxError when the answer is not the one of a multi request */
export const parseMultiAnswer = (family: Family, body: Buffer): MultiAnswer => {
  const key = isLines(family) ? 'responses' : 'docs';
  const found = members(body, 0, [key, 'took']);
  const list = found[key];
  if (list === undefined) throw new SyntaxError(`no ${key} in the answer`);
  const items: Buffer[] = [];
  eachElement(body, list.start, ({ start, end }) => {
    items.push(body.subarray(start, end));
  });
  return { items, tookMs: found.took === undefined ? undefined : Number(parseSlice(body, found.took)) };
};

type Rendering = { readonly tookMs: number | undefined; readonly pretty: boolean };

export const renderMultiAnswer = (
  family: Family,
  items: readonly Uint8Array[],
  { tookMs, pretty }: Rendering,
): Buffer => {
  const took = tookMs === undefined ? '' : `"took":${tookMs},`;
  const open = isLines(family) ? `{${took}"responses":[` : '{"docs":[';
  const comma = Buffer.from(',');
  const body = Buffer.concat([
    Buffer.from(open),
    ...items.flatMap((item, i) => (i === 0 ? [item] : [comma, item])),
    Buffer.from(']}'),
  ]);
  return pretty ? prettyJson(body) : body;
};
