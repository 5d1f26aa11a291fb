/**
 * Where in the body of a search a member stands, so that its name can be told apart: the option `type` of a clause is structure,
 * the field `type` below `term` holds a literal. One rule for what may be shown of a request and for what makes its shape.
 * Invariant: what is not surely an option is data. A place that is taken for another may hide an option, but shows no literal.
 */

export type Place =
  /** The body itself. */
  | 'top'
  /** Clauses, and the options of those that name their field in an option. */
  | 'clauses'
  /** Below a clause or a sort: keys are fields. */
  | 'fields'
  /** Options of one field there. */
  | 'field'
  /** Keys are names that the client made up: of aggregations, suggestions or filters. */
  | 'aggregations'
  | 'suggestions'
  | 'filters'
  | 'aggregation'
  /** Options of an aggregation or a suggestion, where a clause's name is none. */
  | 'options'
  /** Edges of buckets: keys are known, and all values literals. */
  | 'ranges'
  /** Documents, script parameters and the like: whatever the application put there. */
  | 'data';

const fieldClauses = new Set(
  `match match_phrase match_phrase_prefix match_bool_prefix common term terms terms_set range prefix wildcard regexp fuzzy
   span_term intervals knn neural neural_sparse geo_distance geo_bounding_box geo_polygon geo_shape xy_shape gauss exp
   linear sort`.split(/\s+/),
);
const data = new Set(['params', 'document', 'documents', 'doc', 'context', 'contexts', 'ext', 'meta', 'query_tokens']);
const aggregationLists = new Set(['aggs', 'aggregations']);
/** Their option `match` holds a clause; anywhere else it is one. */
const withMatch = new Set(['span_multi', 'span_first']);
/** Options of aggregations, of a sort or of neighbours that hold a query. */
const queries = new Set(['filter', 'query', 'background_filter', 'highlight_query', 'match']);

const belowClauses = (name: string): Place => {
  if (data.has(name)) return 'data';
  if (aggregationLists.has(name)) return 'aggregations';
  if (name === 'suggest') return 'suggestions';
  if (withMatch.has(name)) return 'options';
  return fieldClauses.has(name) ? 'fields' : 'clauses';
};

const belowAggregation = (name: string): Place => {
  if (data.has(name)) return 'data';
  if (aggregationLists.has(name)) return 'aggregations';
  return name === 'filter' ? 'clauses' : 'options';
};

const belowOptions = (name: string): Place => {
  // Of a composite aggregation: the key of a bucket.
  if (data.has(name) || name === 'after') return 'data';
  if (name === 'filters' || name === 'ranges') return name;
  // Of a composite aggregation: a list of aggregations, each under its name.
  if (name === 'sources') return 'aggregations';
  if (name === 'sort') return 'fields';
  return queries.has(name) ? 'clauses' : 'options';
};

const belowField = (name: string): Place => {
  if (data.has(name)) return 'data';
  return name === 'filter' || name === 'query' ? 'clauses' : 'field';
};

/** Filters in a list have no names; the elements of any other list stand where it does. */
export const placeInList = (place: Place): Place => (place === 'filters' ? 'clauses' : place);

/** The place of what a member holds. */
export const placeBelow = (place: Place, name: string): Place => {
  switch (place) {
    case 'top':
    case 'clauses':
      return belowClauses(name);
    case 'fields':
      return 'field';
    case 'field':
      return belowField(name);
    case 'aggregations':
      return 'aggregation';
    case 'aggregation':
      return belowAggregation(name);
    case 'suggestions':
      return 'options';
    case 'options':
      return belowOptions(name);
    case 'filters':
      return 'clauses';
    case 'ranges':
      return 'ranges';
    case 'data':
      return 'data';
    default:
      return place satisfies never;
  }
};

const withOptions: ReadonlySet<Place> = new Set<Place>(['top', 'clauses', 'field', 'options']);

/** Is a member of this name, in this place, one of these options? `from` is the page, and below a field a literal of a range. */
export const isOptionAt = (place: Place, name: string, options: ReadonlySet<string>): boolean =>
  options.has(name) && withOptions.has(place) && !(place === 'field' && name === 'from');
