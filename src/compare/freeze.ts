/**
 * Replaces `now` in the range clauses of a search body by the moment the authority was asked, so that both sides see one
 * boundary although they are asked one after the other. Edits the bytes in place of the literals: everything else,
 * long numbers included, travels as it came. Where `now` cannot be replaced safely the request is left out, except where
 * it is rounded to an hour or more and both sides round alike.
 */
import { applyEdits, type Edit, eachElement, eachMember, parseSlice, type Slice, skipSpace } from '../json/scan.ts';
import type { ComparableApi } from './types.ts';

export type Frozen = { kind: 'unchanged' } | { kind: 'frozen'; body: Buffer } | { kind: 'skip' };

const nowLiteral = /^now($|[-+/|].*)/;
const coarse = /\/[hHdwMy]/;
const isoDate = /^\d{4}-\d\d-\d\d(T[\d:.]*(Z|[-+]\d\d:?\d\d)?)?(\|\|.*)?$/;
const explicitFormat = '"format":"strict_date_optional_time||epoch_millis"';

const bounds = new Set(['gte', 'gt', 'lte', 'lt', 'from', 'to']);

type Clause = { nows: { slice: Slice; rest: string }[]; literals: unknown[]; hasFormat: boolean };

const readClause = (body: Uint8Array, at: number): Clause => {
  const clause: Clause = { nows: [], literals: [], hasFormat: false };
  eachMember(body, at, (name, slice) => {
    if (name === 'format') clause.hasFormat = true;
    if (!bounds.has(name)) return;
    const value = parseSlice(body, slice);
    const match = typeof value === 'string' ? nowLiteral.exec(value) : null;
    if (match) clause.nows.push({ slice, rest: match[1]! });
    else if (value !== null) clause.literals.push(value);
  });
  return clause;
};

/** The format given with the frozen bound must also read the clause's other bound. */
const canFreeze = ({ hasFormat, literals }: Clause): boolean =>
  !hasFormat &&
  literals.every((value) => typeof value === 'number' || (typeof value === 'string' && isoDate.test(value)));

const isCoarse = ({ nows }: Clause): boolean => nows.every(({ rest }) => coarse.test(rest));

type Walk = { body: Uint8Array; iso: string; edits: Edit[]; stuck: boolean };

const freezeClause = (walk: Walk, slice: Slice): void => {
  const clause = readClause(walk.body, slice.start);
  if (clause.nows.length === 0) return;
  if (!canFreeze(clause)) {
    walk.stuck ||= !isCoarse(clause);
    return;
  }
  walk.edits.push({ start: slice.start + 1, end: slice.start + 1, text: `${explicitFormat},` });
  for (const { slice: at, rest } of clause.nows)
    walk.edits.push({ ...at, text: JSON.stringify(rest === '' ? walk.iso : `${walk.iso}||${rest}`) });
};

const startsWith = (walk: Walk, slice: Slice, byte: number): boolean => walk.body[slice.start] === byte;
const [brace, bracket, quote] = [0x7b, 0x5b, 0x22];

/** `{"range": {field: {bounds}}}`; a range aggregation has its bounds in a list and is left alone. */
const visitRange = (walk: Walk, slice: Slice): void => {
  eachMember(walk.body, slice.start, (_field, clause) => {
    if (startsWith(walk, clause, brace)) freezeClause(walk, clause);
    else visit(walk, clause);
  });
};

/** Any other literal `now`: date ranges of aggregations, origins of decay functions, template parameters. */
const visitText = (walk: Walk, slice: Slice): void => {
  if (walk.body[slice.start + 1] !== 0x6e) return;
  const value = parseSlice(walk.body, slice) as string;
  if (nowLiteral.test(value) && !coarse.test(value)) walk.stuck = true;
};

const visit = (walk: Walk, slice: Slice): void => {
  if (startsWith(walk, slice, quote)) visitText(walk, slice);
  else if (startsWith(walk, slice, bracket)) eachElement(walk.body, slice.start, (item) => visit(walk, item));
  else if (startsWith(walk, slice, brace))
    eachMember(walk.body, slice.start, (name, value) =>
      name === 'range' && startsWith(walk, value, brace) ? visitRange(walk, value) : visit(walk, value),
    );
};

const freezeJson = (body: Uint8Array, iso: string): Walk => {
  const walk: Walk = { body, iso, edits: [], stuck: false };
  const start = skipSpace(body, 0);
  if (start < body.length) visit(walk, { start, end: body.length });
  return walk;
};

const lineSlices = (body: Uint8Array): Uint8Array[] => {
  const lines: Uint8Array[] = [];
  for (let at = 0; at < body.length;) {
    const end = body.indexOf(0x0a, at);
    lines.push(body.subarray(at, end < 0 ? body.length : end + 1));
    at = end < 0 ? body.length : end + 1;
  }
  return lines;
};

const marker = Buffer.from('"now');

/** `now` = when the authority was asked. Malformed JSON throws SyntaxError, as in json/scan.ts. */
export const freezeNow = (api: ComparableApi, body: Uint8Array, now: Date): Frozen => {
  if (Buffer.from(body.buffer, body.byteOffset, body.byteLength).indexOf(marker) < 0) return { kind: 'unchanged' };
  const isNdjson = api === 'msearch' || api === 'msearch_template';
  const walks = (isNdjson ? lineSlices(body) : [body]).map((part) => freezeJson(part, now.toISOString()));
  if (walks.some(({ stuck }) => stuck)) return { kind: 'skip' };
  if (walks.every(({ edits }) => edits.length === 0)) return { kind: 'unchanged' };
  return { kind: 'frozen', body: Buffer.concat(walks.map((walk) => applyEdits(walk.body, inOrder(walk.edits)))) };
};

const inOrder = (edits: Edit[]): Edit[] => edits.sort((a, b) => a.start - b.start);
