/**
 * Reads what the authority says of one write, be it a whole answer or one item of a bulk answer, and lists the edits that
 * make it the answer the client expects: a `get` that only we asked for is taken out, and primary terms carry the reign.
 * Everything else keeps its bytes.
 */
import { type Edit, eachMember, members, parseSlice, rawOf, type Slice } from '../../json/scan.ts';
import { clientTerm } from './tokens.ts';

const names = ['_id', '_index', '_seq_no', '_primary_term', '_version', 'result', 'status', 'get', 'error'] as const;

export type WriteFacts = {
  readonly id: string | undefined;
  /** Undefined when nothing was written. */
  readonly seq: number | undefined;
  readonly term: number | undefined;
  /** Decimal text: external versions may exceed what a JavaScript number holds. */
  readonly version: string | undefined;
  readonly result: string | undefined;
  /** Only in bulk items. */
  readonly status: number | undefined;
  readonly errorType: string | undefined;
  /** There is an `error`. */
  readonly failed: boolean;
  readonly get: Slice | undefined;
};

/** @throws SyntaxError when there is no JSON object at `at` */
export const readFacts = (body: Buffer, at: number): WriteFacts => {
  const found = members(body, at, names);
  const text = (slice: Slice | undefined) =>
    slice === undefined || body[slice.start] !== 0x22 ? undefined : (parseSlice(body, slice) as string);
  const number = (slice: Slice | undefined) => (slice === undefined ? undefined : Number(rawOf(body, slice)));
  return {
    id: text(found._id),
    seq: number(found._seq_no),
    term: number(found._primary_term),
    version: found._version === undefined ? undefined : rawOf(body, found._version),
    result: text(found.result),
    status: number(found.status),
    errorType: found.error === undefined ? undefined : text(typeOf(body, found.error)),
    failed: found.error !== undefined,
    get: found.get,
  };
};

const typeOf = (body: Buffer, error: Slice): Slice | undefined =>
  body[error.start] === 0x7b ? members(body, error.start, ['type']).type : undefined;

/** `get._source` of an update's answer: the post-image as it was stored. */
export const updatedSource = (body: Buffer, facts: WriteFacts): Uint8Array | undefined => {
  if (facts.get === undefined) return undefined;
  const { _source: source } = members(body, facts.get.start, ['_source']);
  return source === undefined ? undefined : body.subarray(source.start, source.end);
};

/** In ascending order. `stripGet`: the client did not ask for it. */
export const answerEdits = (
  body: Buffer,
  at: number,
  { stripGet, reign }: { stripGet: boolean; reign: number },
): Edit[] => {
  if (!stripGet && reign === 1) return [];
  const edits: Edit[] = [];
  let previousEnd: number | undefined;
  eachMember(body, at, (key, value, keySlice) => {
    if (key === 'get' && stripGet && isAsked(body, value)) edits.push(removal(body, { value, keySlice, previousEnd }));
    else if (key === 'get') edits.push(...termEdits(body, value.start, reign));
    else if (key === '_primary_term') edits.push(...termEdit(body, value, reign));
    previousEnd = value.end;
  });
  return edits;
};

/** An update that found nothing and wrote nothing says so unasked. */
const isAsked = (body: Buffer, { start }: Slice): boolean => {
  const { found } = members(body, start, ['found']);
  return found === undefined || rawOf(body, found) !== 'false';
};

type Member = { value: Slice; keySlice: Slice; previousEnd: number | undefined };
/** With the comma before it, or the one after it when it comes first. */
const removal = (body: Buffer, { value, keySlice, previousEnd }: Member): Edit => {
  if (previousEnd !== undefined) return { start: previousEnd, end: value.end, text: '' };
  const comma = body.indexOf(0x2c, value.end);
  return { start: keySlice.start, end: comma < 0 ? value.end : comma + 1, text: '' };
};

const termEdits = (body: Buffer, at: number, reign: number): Edit[] => {
  const term = members(body, at, ['_primary_term'])._primary_term;
  return term === undefined ? [] : termEdit(body, term, reign);
};

const termEdit = (body: Buffer, slice: Slice, reign: number): Edit[] => {
  const term = rawOf(body, slice);
  return reign === 1 || !/^\d+$/.test(term) ? [] : [{ ...slice, text: clientTerm(term, reign) }];
};
