/**
 * Pure: would this change of an index leave it exactly as it is? Applications put their mapping, settings and alias each
 * time they start, and wait for the cluster's "acknowledged". What is there already may be put again while a route
 * refuses administration. Putting a field replaces its parameters, so a field must be the same, not merely a part of what
 * is there. Invariant: true only when both sides would be the same before and after; in doubt it is a change.
 */
import type { Operation } from '../types.ts';

type Json = Readonly<Record<string, unknown>>;

const groups = ['indices.put_mapping', 'indices.put_settings', 'indices.put_alias', 'indices.update_aliases'] as const;
export type RepeatableGroup = (typeof groups)[number];

export const isRepeatable = (group: string): group is RepeatableGroup => (groups as readonly string[]).includes(group);

/** What to ask an index for, to see whether the change is there already. */
export const askPathOf = (group: RepeatableGroup): string => {
  switch (group) {
    case 'indices.put_mapping':
      return '_mapping';
    case 'indices.put_settings':
      return '_settings?flat_settings=true';
    case 'indices.put_alias':
    case 'indices.update_aliases':
      return '_alias';
    default:
      return group satisfies never;
  }
};

export type Change = {
  readonly group: RepeatableGroup;
  readonly params: Operation['params'];
  /** Parsed body of the request. */
  readonly asked: unknown;
};

/** `current`: the cluster's answer to `askPathOf` for one concrete index. */
export const isUnchanged = ({ group, params, asked }: Change, current: unknown): boolean => {
  const [[name, index] = [], ...others] = Object.entries(objectOf(current));
  if (!isObject(asked) || others.length > 0 || name === undefined || !isObject(index)) return false;
  switch (group) {
    case 'indices.put_mapping':
      return params['type'] === undefined && isSameMapping(asked, objectOf(index['mappings']));
    case 'indices.put_settings':
      return areSameSettings(asked, objectOf(index['settings']));
    case 'indices.put_alias':
      return isSameAlias(asked, objectOf(index['aliases'])[params['name'] ?? '']);
    case 'indices.update_aliases':
      return actionsIn(asked).every((action) => isSameAction(action, name, objectOf(index['aliases'])));
    default:
      return group satisfies never;
  }
};

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objectOf = (value: unknown): Json => (isObject(value) ? value : {});

/** Parts that a mapping adds to rather than replaces: the names in them may be fewer. */
const additive: ReadonlySet<string> = new Set(['properties', 'fields']);
/** What clusters leave out of what they tell, whatever the type of the field. Any other default counts as a change. */
const defaults: Readonly<Record<string, unknown>> = {
  index: true,
  store: false,
  doc_values: true,
  enabled: true,
  eager_global_ordinals: false,
  type: 'object',
};

const isSameMapping = (asked: Json, current: Json): boolean =>
  Object.entries(asked).every(([key, value]) =>
    additive.has(key) ? areSameFields(value, current[key]) : same(value, current[key] ?? defaults[key]),
  );

const areSameFields = (asked: unknown, current: unknown): boolean =>
  isObject(asked) &&
  Object.entries(asked).every(([name, field]) => {
    const there = objectOf(current)[name];
    return isObject(field) && isObject(there) && isSameField(field, there);
  });

const isSameField = (asked: Json, current: Json): boolean => {
  // An object keeps what a request does not speak of; any other field falls back to its defaults.
  const isKept = 'properties' in current || current['type'] === 'object';
  const repeats = Object.keys(current).every((key) => isKept || additive.has(key) || key in asked);
  return repeats && isSameMapping(asked, current);
};

/** Clusters tell `true` as "true", 5 as "5" and a list of one as its member, or the other way round. */
const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return value.length === 1 ? canonical(value[0]) : `[${value.map(canonical).join()}]`;
  if (!isObject(value)) return JSON.stringify(value === undefined ? null : String(value));
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join()}}`;
};

const areSameSettings = (asked: Json, current: Json): boolean => {
  const flat = flatten(asked['settings'] ?? asked, '');
  return (
    flat.length > 0 &&
    flat.every(([key, value]) => {
      const name = key.startsWith('index.') ? key : `index.${key}`;
      return value === null ? !(name in current) : name in current && same(value, current[name]);
    })
  );
};

const flatten = (value: unknown, prefix: string): [string, unknown][] =>
  isObject(value)
    ? Object.entries(value).flatMap(([key, member]) => flatten(member, prefix === '' ? key : `${prefix}.${key}`))
    : [[prefix, value]];

const actionsIn = ({ actions }: Json): readonly unknown[] => (Array.isArray(actions) ? actions : [undefined]);

/** Names of an action's indices or aliases; those of both spellings. */
const namesOf = (...given: readonly unknown[]): unknown[] => given.flat().filter((name) => name !== undefined);

/** An action about another index says nothing of this one. */
const isSameAction = (action: unknown, name: string, current: Json): boolean => {
  const [[verb, given] = [], ...others] = Object.entries(objectOf(action));
  if (verb !== 'add' || others.length > 0 || !isObject(given)) return false;
  const { index, indices, alias, aliases, ...rest } = given;
  const names = namesOf(alias, aliases);
  return (
    !namesOf(index, indices).includes(name) ||
    (names.length > 0 && names.every((one) => typeof one === 'string' && isSameAlias(rest, current[one])))
  );
};

/** Putting an alias replaces all that is said of it. */
const isSameAlias = (asked: Json, current: unknown): boolean => {
  if (!isObject(current)) return false;
  const { routing, ...rest } = asked;
  const spread = routing === undefined ? {} : { index_routing: routing, search_routing: routing };
  return same({ ...spread, ...rest }, current);
};
