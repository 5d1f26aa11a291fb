/**
 * The vocabulary of the data plane: what a request is (Operation), where names lead (RouteTable), and what is to be done
 * with it (Plan). All are plain values made by pure functions; listener.ts and the executors only carry them out.
 */
import type { RouteState } from '../coordination/ports.ts';
import type { Side } from '../coordination/records.ts';
import type { CrossfadeError } from '../errors.ts';

/** Closed set; also the `family` label of metrics. */
export const families = [
  'index',
  'create',
  'update',
  'delete',
  'bulk',
  'bulk_stream',
  'update_by_query',
  'delete_by_query',
  'reindex',
  'get',
  'mget',
  'search',
  'msearch',
  'template_search',
  'msearch_template',
  'count',
  'explain',
  'field_caps',
  'validate',
  'termvectors',
  'mtermvectors',
  'rank_eval',
  'search_shards',
  'analyze',
  'scroll',
  'clear_scroll',
  'pit_create',
  'pit_delete',
  'pit_list',
  'sql',
  'sql_close',
  'ppl',
  'async_search',
  'async_search_get',
  'async_search_delete',
  'task',
  'rethrottle',
  'simulate',
  'refresh',
  'flush',
  'index_maintenance',
  'index_admin',
  'index_info',
  'alias_admin',
  'alias_info',
  'template_admin',
  'pipeline_admin',
  'script_admin',
  'cluster',
  'cat',
  'nodes',
  'nodes_http',
  'snapshot',
  'security',
  'plugin',
  'info',
  'unclassified',
] as const;
export type Family = (typeof families)[number];
export type Access = 'read' | 'write' | 'admin' | 'unknown';
/** Where index names stand: `path` in {index}; `body` in lines or fields; `both`; `query` as a parameter; `none`. */
export type NamesIn = 'path' | 'body' | 'both' | 'query' | 'none';

/** What the REST table says of a method and path. */
export type Operation = {
  /** Operation group of the API specification, e.g. `indices.refresh`; `unclassified` when unknown. */
  readonly group: string;
  readonly family: Family;
  readonly access: Access;
  readonly namesIn: NamesIn;
  /** A plan for a routed index needs the request's body. */
  readonly needsBody: boolean;
  /** Decoded path parameters: `index`, `id`, `type`, `scroll_id`, ... */
  readonly params: Readonly<Record<string, string>>;
  /** Raw path segments that hold `{index}`, so that a rewrite touches nothing else; -1 when there is none. */
  readonly indexSegment: number;
};

/** A request as the planner sees it: the head only, the body comes later and only when a plan needs it. */
export type RequestHead = {
  readonly method: string;
  /** Raw path, percent-encoding untouched, without the query. */
  readonly path: string;
  /** Raw query without `?`; empty when there is none. */
  readonly query: string;
  /** Lower-case names; repeated ones joined by the listener are refused earlier, so each value is a single string. */
  readonly headers: Readonly<Record<string, string>>;
};

/** One index pair of a route as addressed by a name in a request. */
export type RoutedIndex = {
  readonly state: RouteState;
  readonly ordinal: number;
  /** Routing that the addressed alias carries, to be added when the client gave none. */
  readonly aliasRouting: string | undefined;
};
/** How one index expression (comma list, wildcard, date math, alias, empty) relates to the routes that are not `off`. */
export type Resolution =
  | { kind: 'none' }
  /** Every name leads to indices of one route. */
  | { kind: 'route'; state: RouteState; indices: readonly RoutedIndex[] }
  /** Several routes, or routed and unrouted names together. `authorities` = sides that routed parts must be read from. */
  | { kind: 'mixed'; states: readonly RouteState[]; unrouted: boolean };

/** An index expression as a side is to be asked with it, because the client's own would reach more than it means. */
export type SaidAnew = {
  readonly side: Side;
  readonly names: readonly string[];
  /** Exclusions at the end of the names whose index may be missing, which is no error of the client's. */
  readonly mayMiss: readonly string[];
  /** All that the client has named without a wildcard is a route's, so nothing else can be missing. */
  readonly isKnown: boolean;
};

export interface RouteTable {
  /** Routes whose phase is not `off`. */
  readonly states: readonly RouteState[];
  /** A single concrete name or alias, already decoded. */
  lookup(name: string): readonly RoutedIndex[] | undefined;
  /** A whole expression as it stands in a path segment or a body field, decoded. */
  resolve(expression: string, now: Date): Resolution;
}

/** What to do with one request. Exhaustively switched in execute.ts. */
export type Plan =
  /**
   * Bytes pass, streamed, nothing is looked at. `rewriteNodes`: the answer of `/_nodes/http` is rewritten. `refreshAlso`:
   * a refresh that covers these routes and more; their indices on the other side are refreshed too before the answer.
   */
  | {
      kind: 'pass';
      side: Side;
      reason: 'unrouted' | 'unclassified' | 'cluster' | 'pinned';
      rewriteNodes?: boolean;
      refreshAlso?: readonly RouteState[];
    }
  /** The names stand in the body or in a query text: read it, then ask `planBody`, which never answers this kind. */
  | { kind: 'by_body'; operation: Operation }
  | { kind: 'write'; operation: Operation; index: RoutedIndex }
  /** Parsed line by line; lines of several routes and unrouted ones may stand in one body. */
  | { kind: 'bulk'; operation: Operation; defaultIndex: string | undefined }
  | { kind: 'by_query'; operation: Operation; indices: readonly RoutedIndex[] }
  | { kind: 'reindex'; operation: Operation }
  | { kind: 'read'; operation: Operation; state: RouteState; indices: readonly RoutedIndex[] }
  /** Over several routes, or routed and other indices, all of which `side` has: it may open a cursor, or show tokens. */
  | {
      kind: 'mixed_read';
      operation: Operation;
      side: Side;
      states: readonly RouteState[];
      unrouted: boolean;
      said?: SaidAnew;
    }
  /** msearch, mget and mtermvectors: items are resolved from the body, split and merged. */
  | { kind: 'multi_read'; operation: Operation; defaultIndex: string | undefined }
  /** Scroll, PIT, async, SQL cursors and task ids: the side is in the wrapped id. */
  | { kind: 'cursor'; operation: Operation }
  /** The search body may name a wrapped PIT instead of an index. */
  | { kind: 'pit_search'; operation: Operation }
  /** refresh and flush of a routed index: to the authority, and to the follower too while it may serve reads. */
  | { kind: 'refresh'; operation: Operation; state: RouteState; indices: readonly RoutedIndex[] }
  /** Reads about the index itself (mapping, settings, stats, exists): to the authority under its name there, or to `side`. */
  | { kind: 'index_info'; operation: Operation; state: RouteState; indices: readonly RoutedIndex[]; side?: Side }
  /**
   * A change of the index, at the authority or at the side given. With `refusal` only if it is there already, so that
   * nothing changes; else that is the answer.
   */
  | {
      kind: 'admin';
      operation: Operation;
      state: RouteState;
      indices: readonly RoutedIndex[];
      side?: Side;
      refusal?: CrossfadeError;
    }
  | { kind: 'reject'; error: CrossfadeError };
