/**
 * The server's `filter_path`, applied here: a write's answer must reach us whole (ids, sequence numbers), so the
 * parameter is taken out of the request and its effect is put back into the answer. Comma-separated dotted paths, `*`
 * within a name, `**` over one name or more, a leading `-` excludes; arrays are transparent; containers that become empty go.
 * Invariant: what stays keeps its bytes.
 */
import { matchesPattern } from '../index-expression.ts';
import { eachElement, eachMember, rawOf, type Slice, skipSpace, skipValue } from '../../json/scan.ts';

/** `below`: the same object however it is reached, so that it is followed once. */
type Path = { readonly name: string; readonly below: Path | undefined };
export type FilterPath = { readonly includes: readonly Path[]; readonly excludes: readonly Path[] };

const toPath = (text: string): Path => {
  const names = text.split(/(?<!\\)\./).map((name) => name.replaceAll('\\.', '.'));
  return names.reduceRight<Path | undefined>((below, name) => ({ name, below }), undefined) as Path;
};

/** undefined = nothing to filter. */
export const parseFilterPath = (parameter: string | undefined): FilterPath | undefined => {
  const texts = (parameter ?? '')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  if (texts.length === 0) return undefined;
  const excludes = texts.filter((text) => text.startsWith('-')).map((text) => toPath(text.slice(1)));
  return { includes: texts.filter((text) => !text.startsWith('-')).map(toPath), excludes };
};

/** The paths that go on below a member of this name; `done` when one of them ends here. */
const descend = (paths: readonly Path[], member: string): { done: boolean; rest: Path[] } => {
  const rest = new Set<Path>();
  let done = false;
  for (const path of paths) {
    const { name, below } = path;
    if (!matchesPattern(name, member)) continue;
    if (below === undefined) done = true;
    else rest.add(below);
    // It takes this name, and perhaps more below it: at least one.
    if (name === '**') rest.add(path);
  }
  return { done, rest: [...rest] };
};

type Filter = (paths: readonly Path[], buf: Uint8Array, value: Slice) => string | undefined;

const OBJECT = 0x7b;
const ARRAY = 0x5b;

/** Keeps the members for which `keep` gives text; a container left with none is dropped, unless it was empty before. */
const rebuild = (
  buf: Uint8Array,
  value: Slice,
  keep: { member: (name: string, slice: Slice) => string | undefined; element: (slice: Slice) => string | undefined },
): string | undefined => {
  const kept: string[] = [];
  if (buf[value.start] === OBJECT)
    eachMember(buf, value.start, (name, slice, key) => {
      const text = keep.member(name, slice);
      if (text !== undefined) kept.push(`${rawOf(buf, key)}:${text}`);
    });
  else
    eachElement(buf, value.start, (slice) => {
      const text = keep.element(slice);
      if (text !== undefined) kept.push(text);
    });
  if (kept.length === 0) return undefined;
  return buf[value.start] === OBJECT ? `{${kept.join(',')}}` : `[${kept.join(',')}]`;
};

const isContainer = (buf: Uint8Array, { start }: Slice): boolean => buf[start] === OBJECT || buf[start] === ARRAY;

const include: Filter = (paths, buf, value) => {
  if (!isContainer(buf, value)) return undefined;
  return rebuild(buf, value, {
    member: (name, slice) => {
      const { done, rest } = descend(paths, name);
      if (done) return rawOf(buf, slice);
      return rest.length > 0 ? include(rest, buf, slice) : undefined;
    },
    element: (slice) => include(paths, buf, slice),
  });
};

const exclude: Filter = (paths, buf, value) => {
  if (!isContainer(buf, value)) return rawOf(buf, value);
  return rebuild(buf, value, {
    member: (name, slice) => {
      const { done, rest } = descend(paths, name);
      if (done) return undefined;
      return rest.length > 0 ? exclude(rest, buf, slice) : rawOf(buf, slice);
    },
    element: (slice) => exclude(paths, buf, slice),
  });
};

const apply = (filter: Filter, paths: readonly Path[], body: Buffer): Buffer => {
  if (paths.length === 0) return body;
  const start = skipSpace(body, 0);
  const value = { start, end: skipValue(body, start) };
  return Buffer.from(filter(paths, body, value) ?? '{}');
};

/** Errors are never filtered: the caller passes answers of operations only. */
export const applyFilterPath = (body: Buffer, filter: FilterPath | undefined): Buffer =>
  filter === undefined ? body : apply(exclude, filter.excludes, apply(include, filter.includes, body));
