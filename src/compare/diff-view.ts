/**
 * Two answers side by side, as data: one row per leaf, hits aligned by id and buckets by key, so that one missing hit
 * does not shift every row below it. For people: which rows matter is said by the differences of the observation.
 */
import { isObject, type Json, type JsonObject, member, sameValue, textOf } from './json-value.ts';

export type DiffRow = { path: string; authority?: string; other?: string; same: boolean };
export type DiffOptions = { maxRows: number; maxChars: number; onlyDifferent: boolean };

type Row = { path: string; authority: Json | undefined; other: Json | undefined };

/** What names an element of a list; undefined = its position does. */
const nameOf = (value: Json): string | undefined => {
  const id = member(value, '_id') ?? member(value, 'key');
  return id === undefined ? undefined : typeof id === 'string' ? id : textOf(id);
};

const named = (list: readonly Json[]): JsonObject | undefined => {
  const entries = list.map((item) => [nameOf(item), item] as const);
  const names = new Set(entries.map(([name]) => name));
  return names.has(undefined) || names.size < list.length ? undefined : (Object.fromEntries(entries) as JsonObject);
};

const byPosition = (list: readonly Json[]): JsonObject => Object.fromEntries(list.map((item, i) => [String(i), item]));

/** Lists of hits or buckets as objects by name, other lists by position. */
const asObject = (value: Json | undefined): JsonObject | undefined => {
  if (Array.isArray(value)) return value.length === 0 ? undefined : (named(value) ?? byPosition(value));
  return isObject(value) && Object.keys(value).length > 0 ? value : undefined;
};

const own = (value: JsonObject | undefined, name: string): Json | undefined =>
  value !== undefined && Object.hasOwn(value, name) ? value[name] : undefined;

function* leaves(path: string, authority: Json | undefined, other: Json | undefined): Generator<Row> {
  const [a, b] = [asObject(authority), asObject(other)];
  const bothBranch =
    (a !== undefined || authority === undefined) && (b !== undefined || other === undefined) && (a ?? b) !== undefined;
  if (!bothBranch) {
    yield { path, authority, other };
    return;
  }
  for (const name of new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})]))
    yield* leaves(path === '' ? name : `${path}.${name}`, own(a, name), own(b, name));
}

const cut = (value: Json | undefined, maxChars: number): string | undefined => {
  if (value === undefined) return undefined;
  const text = textOf(value);
  return text.length <= maxChars ? text : `${text.slice(0, maxChars - 1)}…`;
};

const isSame = ({ authority, other }: Row): boolean =>
  authority !== undefined && other !== undefined && sameValue(authority, other);

export const diffRows = (
  authority: Json,
  other: Json,
  { maxRows, maxChars, onlyDifferent }: DiffOptions,
): DiffRow[] => {
  const rows: DiffRow[] = [];
  for (const row of leaves('', authority, other)) {
    const same = isSame(row);
    if (same && onlyDifferent) continue;
    if (rows.length >= maxRows) break;
    const [a, b] = [cut(row.authority, maxChars), cut(row.other, maxChars)];
    rows.push({ path: row.path, same, ...(a !== undefined && { authority: a }), ...(b !== undefined && { other: b }) });
  }
  return rows;
};
