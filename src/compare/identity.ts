/**
 * Which document a hit is, named the same on both sides: (index after renaming, id, routing), a business key, the whole
 * content, or, under `collapse`, the group it stands for. Answers cut down by `filter_path` may lack an id: then the
 * content names it.
 */
import type { Context } from './context.ts';
import {
  arrayMember,
  canonicalText,
  isObject,
  type Json,
  type JsonObject,
  member,
  stringMember,
  valueAt,
} from './json-value.ts';
import type { Answerer } from './types.ts';

const contentOf = (hit: JsonObject): string => canonicalText(member(hit, '_source') ?? member(hit, 'fields') ?? null);

type Rename = (name: string) => string;

const byId = (hit: JsonObject, rename: Rename): string => {
  const id = stringMember(hit, '_id');
  if (id === undefined) return contentOf(hit);
  const index = rename(stringMember(hit, '_index') ?? '');
  const routing = stringMember(hit, '_routing') ?? '';
  const nested = member(hit, '_nested');
  return `${index}\u0000${id}\u0000${routing}${nested === undefined ? '' : canonicalText(nested)}`;
};

const byField = (hit: JsonObject, field: string, rename: Rename): string => {
  const value = valueAt(member(hit, '_source'), field) ?? arrayMember(member(hit, 'fields'), field);
  return value === undefined ? byId(hit, rename) : canonicalText(value);
};

const collapsed = (hit: JsonObject, field: string): string | undefined => {
  const value = arrayMember(member(hit, 'fields'), field);
  return value === undefined ? undefined : canonicalText(value);
};

export type HitOf = { readonly answerer: Answerer; readonly collapse: string | undefined };

export const identityOf = (context: Context, hit: Json, { answerer, collapse }: HitOf): string => {
  if (!isObject(hit)) return canonicalText(hit);
  const group = collapse === undefined ? undefined : collapsed(hit, collapse);
  if (group !== undefined) return group;
  const { match } = context.rules.profile;
  const rename = (name: string): string => context.renameIndex(name, answerer);
  if (match.by === 'field') return byField(hit, match.field, rename);
  return match.by === 'source' ? contentOf(hit) : byId(hit, rename);
};

/** Equal identities within one list (a key that is not unique) are told apart by their occurrence. */
export const distinct = (identities: readonly string[]): readonly string[] => {
  if (new Set(identities).size === identities.length) return identities;
  const seen = new Map<string, number>();
  return identities.map((identity) => {
    const occurrence = seen.get(identity) ?? 0;
    seen.set(identity, occurrence + 1);
    return occurrence === 0 ? identity : `${identity}\u0000${occurrence}`;
  });
};
