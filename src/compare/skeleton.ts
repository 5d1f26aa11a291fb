/**
 * The skeleton of a search body: what is left when its literals are taken out. Clause types, fields, sort keys, kinds of
 * aggregations and the order of magnitude of the page stay; the order of members and repetitions of one kind do not count.
 */
import { isOptionAt, type Place, placeBelow, placeInList } from './body-places.ts';
import { isObject, type Json, type JsonObject, textOf } from './json-value.ts';

/** Members whose text is structure (a field, an order, a unit), not a literal of the user. */
const structural = new Set([
  'field',
  'fields',
  'path',
  'type',
  'order',
  'mode',
  'operator',
  'default_operator',
  'sort',
  '_source',
  'docvalue_fields',
  'stored_fields',
  'calendar_interval',
  'fixed_interval',
  'score_mode',
  'boost_mode',
  'buckets_path',
  'unit',
  'search_type',
  'default_field',
  'score_type',
  'execution_hint',
  'collect_mode',
  'modifier',
  'relation',
  'interval',
  'analyzer',
]);
/** The body of a template names a stored one; anywhere else an id is a literal. */
const templateId = 'id';
/** Members whose object is keyed by names of the user's own making, and places where names are literals. */
const userNamed = new Set(['aggs', 'aggregations', 'suggest', 'inner_hits', 'script_fields']);
const nameless: ReadonlySet<Place> = new Set<Place>(['data', 'filters']);
export const pageMembers = new Set(['size', 'from']);

export const magnitude = (value: number): string =>
  value <= 0 ? '0' : value <= 10 ? '10' : value <= 100 ? '100' : value <= 1000 ? '1000' : 'more';

const literalMark = (value: Json): string =>
  value === null ? 'null' : typeof value === 'string' ? 's' : typeof value === 'boolean' ? 'b' : 'n';

const isLeaf = (value: Json): boolean => typeof value !== 'object' || value === null;

/** The member that holds a value: its name, the place in which it stands, and that of what it holds. */
type Holder = { readonly name: string; readonly place: Place; readonly below: Place };

/** The body stands in no member. */
const wholeBody: Holder = { name: '', place: 'data', below: 'top' };

const memberOf = (holder: Holder, name: string): Holder => ({
  name: userNamed.has(holder.name) || nameless.has(holder.below) ? '' : name,
  place: holder.below,
  below: placeBelow(holder.below, name),
});

const isStructural = ({ name, place }: Holder): boolean =>
  isOptionAt(place, name, structural) || (place === 'top' && name === templateId);

const skeletonList = (holder: Holder, list: readonly Json[]): string => {
  if (isStructural(holder) && list.every(isLeaf)) return textOf(list as Json[]);
  const element = { ...holder, below: placeInList(holder.below) };
  return `[${[...new Set(list.map((item) => skeleton(element, item)))].sort().join()}]`;
};

const skeletonObject = (holder: Holder, value: JsonObject): string => {
  const parts = Object.keys(value).map((key) => {
    const member = memberOf(holder, key);
    const inside = skeleton(member, value[key]!);
    return member.name === '' ? inside : `${key}:${inside}`;
  });
  return `{${[...new Set(parts)].sort().join()}}`;
};

const skeleton = (holder: Holder, value: Json): string => {
  if (Array.isArray(value)) return skeletonList(holder, value);
  if (isObject(value)) return skeletonObject(holder, value);
  if (isOptionAt(holder.place, holder.name, pageMembers) && typeof value === 'number') return magnitude(value);
  return isStructural(holder) ? textOf(value) : literalMark(value);
};

export const skeletonOf = (body: Json | undefined): string => skeleton(wholeBody, body ?? null);
