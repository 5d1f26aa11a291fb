/**
 * Where the ids of cursors stand in a request, and how other ids are put in their place. Ids may be a path segment, a
 * query parameter or a member of the body, single or as a list.
 */
import { eachElement, members, parseSlice, type Slice, skipSpace } from '../../json/scan.ts';
import { decodeComponent } from '../percent-encoding.ts';
import { setParam } from '../query.ts';
import type { Operation, RequestHead } from '../types.ts';

const ARRAY = 0x5b;

export type BodyIds = { readonly slice: Slice; readonly ids: readonly string[] };

/** The member of a JSON body that holds one id or a list; undefined when there is none. Throws SyntaxError. */
export const idsInBody = (body: Buffer, name: string): BodyIds | undefined => {
  if (skipSpace(body, 0) === body.length) return undefined;
  const slice = members(body, 0, [name])[name];
  if (slice === undefined) return undefined;
  if (body[slice.start] !== ARRAY) return { slice, ids: [String(parseSlice(body, slice))] };
  const ids: string[] = [];
  eachElement(body, slice.start, (item) => {
    ids.push(String(parseSlice(body, item)));
  });
  return { slice, ids };
};

/** Puts another value where a captured parameter stands: in its path segment, or in the query. */
export const replaceParam = (
  { path, query }: Pick<RequestHead, 'path' | 'query'>,
  { params }: Pick<Operation, 'params'>,
  change: { readonly name: string; readonly value: string },
): { path: string; query: string } => {
  const before = params[change.name];
  const segments = path.split('/');
  const at = segments.findLastIndex((segment) => segment !== '' && decodeComponent(segment) === before);
  if (at < 0) return { path, query: setParam(query, change.name, change.value) };
  segments[at] = encodeURIComponent(change.value);
  return { path: segments.join('/'), query };
};
