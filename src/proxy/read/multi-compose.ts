/**
 * Puts any selection of the items of a multi request together again as the body of a sub-request. Items travel byte for byte
 * except for what has to change: their index, a routing they did not have, names inside a search body.
 */
import { applyEdits, type Edit, eachMember, memberCuts, type Slice, skipSpace } from '../../json/scan.ts';
import { isBlank, type MultiBody, type MultiItem } from './multi-body.ts';

const QUOTE = 0x22;

/** How an item's own text changes on its way: its index, a routing it did not have, edits inside the search body. */
export type ItemChange = {
  readonly indices: readonly string[] | undefined;
  readonly routing: string | undefined;
  readonly searchEdits: readonly Edit[];
  /** The item names indices that may be missing, and does not say itself what of them. */
  readonly ignoreUnavailable?: boolean;
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
  const head = change === undefined ? headLine(buf, item) : editHead(buf, item, change);
  return [head, newline, change === undefined ? raw : editSlice(buf, search, change.searchEdits), newline];
};

const emptyHead = Buffer.from('{}');

/** A blank line that comes to stand first would be skipped by the server, and the search be taken for a header. */
const headLine = (buf: Buffer, { head }: MultiItem): Buffer =>
  isBlank(buf, head) ? emptyHead : buf.subarray(head.start, head.end);

const docPart = (buf: Buffer, { item, change }: ChosenItem): Buffer =>
  change === undefined ? buf.subarray(item.head.start, item.head.end) : editHead(buf, item, change);

/** Edits are given in positions of the whole body. */
const editSlice = (buf: Buffer, { start, end }: Slice, edits: readonly Edit[]): Buffer =>
  applyEdits(
    buf.subarray(start, end),
    edits.map((edit) => ({ ...edit, start: edit.start - start, end: edit.end - start })),
  );

const indexKeys = { lines: ['index', 'indices'], docs: ['_index'] } as const;
const routingKeys = ['routing', '_routing'] as const;

/** Replaces a value, or adds what is missing right after the opening brace. */
const editHead = (buf: Buffer, item: MultiItem, change: ItemChange): Buffer => {
  const isLine = item.search !== undefined;
  const edits: Edit[] = [];
  const added: string[] = [];
  const blank = isBlank(buf, item.head);
  // A key may stand there with null. All of duplicates get the same value, which leaves no doubt about the one that counts.
  const set = (keys: readonly string[], value: unknown): void => {
    const text = JSON.stringify(value);
    const places = blank ? [] : placesOf(buf, item.head, keys);
    edits.push(...places.map((place) => ({ ...place, text })));
    if (places.length === 0) added.push(`"${keys[0]}":${text}`);
  };
  if (change.indices !== undefined)
    set(isLine ? indexKeys.lines : indexKeys.docs, isLine ? change.indices : change.indices[0]);
  if (change.ignoreUnavailable === true) set(['ignore_unavailable'], true);
  if (change.routing !== undefined && item.routing === undefined) set(routingKeys, change.routing);
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
