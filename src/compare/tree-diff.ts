/**
 * Walks two JSON values that are not equal down to the leaves that differ. Lists are compared by position: lists whose
 * elements have identity (hits, buckets) have their own comparators.
 */
import { type Context, report } from './context.ts';
import { child, type Path } from './findings.ts';
import { isNear, isObject, type Json, type JsonObject, sameValue } from './json-value.ts';
import type { DifferenceKind, Severity } from './types.ts';

/** How far numbers may differ, by the larger of both; default exact. */
export type Tolerance = { relative?: number | undefined; absolute?: number | undefined };

export type TreeOptions = Tolerance & {
  severity: Severity;
  /** Another tolerance from members of this name down. */
  toleranceIn?: (name: string) => Tolerance | undefined;
  /** Members not looked at, at any depth; given with the objects that hold them. */
  skip?: (name: string, a: JsonObject, b: JsonObject) => boolean;
};

const typeName = (value: Json): string =>
  value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value === 'bigint' ? 'number' : typeof value;

const isTolerated = (a: Json, b: Json, { relative, absolute }: TreeOptions): boolean =>
  typeof a === 'number' && typeof b === 'number' && isNear(a, b, relative ?? 0, absolute);

export const diffTree = (context: Context, path: Path | undefined, a: Json, b: Json, options: TreeOptions): void => {
  if (sameValue(a, b) || isTolerated(a, b, options)) return;
  if (isObject(a) && isObject(b)) diffObjects(context, path, a, b, options);
  else if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) diffLists(context, path, a, b, options);
  else report(context, { severity: options.severity, kind: leafKind(a, b), path, authority: a, other: b });
};

const leafKind = (a: Json, b: Json): DifferenceKind => {
  if (typeName(a) !== typeName(b)) return 'type';
  return Array.isArray(a) ? 'list_length' : 'value';
};

const diffLists = (context: Context, path: Path | undefined, a: Json[], b: Json[], options: TreeOptions): void => {
  for (const [i, value] of a.entries()) diffTree(context, child(path, i), value, b[i]!, options);
};

const diffObjects = (
  context: Context,
  path: Path | undefined,
  a: JsonObject,
  b: JsonObject,
  options: TreeOptions,
): void => {
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (options.skip?.(name, a, b)) continue;
    const tolerance = options.toleranceIn?.(name);
    const inside = tolerance === undefined ? options : { ...options, ...tolerance };
    diffOptional(context, child(path, name), { authority: own(a, name), other: own(b, name) }, inside);
  }
};

const own = (value: JsonObject, name: string): Json | undefined =>
  Object.hasOwn(value, name) ? value[name] : undefined;

/** `diffTree` where either side may lack the value. */
export const diffOptional = (
  context: Context,
  path: Path,
  pair: { authority: Json | undefined; other: Json | undefined },
  options: TreeOptions,
): void => {
  const { authority, other } = pair;
  if (authority !== undefined && other !== undefined) diffTree(context, path, authority, other, options);
  else if (authority !== other) {
    const kind = other === undefined ? 'missing_field' : 'extra_field';
    report(context, { severity: options.severity, kind, path, authority, other });
  }
};
