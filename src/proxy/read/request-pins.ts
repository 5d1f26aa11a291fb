/**
 * Finds what binds a read to the authority although a percentage would send it to the follower: things that only the
 * authority can say (concurrency tokens, internal versions), copies that are still on their way, names that are not on the
 * follower, and forms that cannot be rewritten or understood. Decided on the head first, so that the body of a read that
 * stays at the authority anyway is never looked at.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { answersInJson } from '../answers-in-json.ts';
import { getFlag, getParam } from '../query.ts';
import type { Family, Operation, RequestHead, RoutedIndex, RouteTable } from '../types.ts';
import { type BodyFacts, speaksOfIndex, speaksOfTokens, speaksOfVersions } from './body-names.ts';
import type { PinReason } from './choose-side.ts';
import { showsFailures } from './shows-failures.ts';
import { aliasRouting } from './side-names.ts';

/**
 * Families whose answers the follower can give: the rest name nodes, act on shards, or speak of one cluster. A point in time is
 * opened before anybody knows what will be asked of it, and where it was opened it stays.
 */
const followerFamilies: ReadonlySet<Family> = new Set<Family>([
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
]);

/** Reads of documents by id, which see a write before any refresh. */
export const isRealtime = (family: Family): boolean => family === 'get' || family === 'termvectors';

/** What sees a write only after a refresh. */
export const needsRefresh = (family: Family): boolean => !isRealtime(family) && family !== 'field_caps';

export const headPin = ({ family }: Operation, head: RequestHead, state: RouteState): PinReason | undefined => {
  if (!followerFamilies.has(family)) return 'family';
  const external = state.spec.versions === 'external';
  // Stamps are what tells the authority's tokens, and this route has the application's versions in their place.
  if (external && (family === 'get' || family === 'mget')) return 'external_versions';
  if (!external && asksVersion(family, head.query)) return 'version';
  if (getFlag(head.query, 'seq_no_primary_term') === true) return 'tokens';
  if (namesNodes(getParam(head.query, 'preference'))) return 'node_preference';
  // Another format could be neither checked nor rewritten.
  if (!answersInJson(head) || !showsFailures(family, head.query)) return 'answer_format';
  return wordsPin(wordsOf(head.query), external);
};

/** Parameters that name fields. */
const fieldParams = ['q', 'sort', 'docvalue_fields', 'stored_fields'] as const;
const wordsOf = (query: string): string => fieldParams.map((name) => getParam(query, name) ?? '').join(' ');

/** What is selected, sorted or shown by what only one side knows by that value. */
const wordsPin = (words: string, external: boolean): PinReason | undefined => {
  if (speaksOfTokens(words)) return 'tokens';
  if (!external && speaksOfVersions(words)) return 'version';
  return speaksOfIndex(words) ? 'opaque_body' : undefined;
};

/** A get with `version` compares it, a search with it shows it; either way it is the authority's own. */
const asksVersion = (family: Family, query: string): boolean =>
  family === 'get' ? getParam(query, 'version') !== undefined : getFlag(query, 'version') === true;

export const namesNodes = (preference: string | undefined): boolean =>
  preference !== undefined && /^_(shards|only_nodes|prefer_nodes)\b/.test(preference);

export type BodyContext = {
  readonly table: RouteTable;
  readonly state: RouteState;
  readonly indices: readonly RoutedIndex[];
  /** Undefined = the body is not JSON. */
  readonly facts: BodyFacts | undefined;
};

export const bodyPin = ({ table, state, indices, facts }: BodyContext): PinReason | undefined => {
  if (aliasRouting(indices).kind === 'mixed') return 'alias_routing';
  if (facts === undefined || (facts.opaque && hasOtherNames(state))) return 'opaque_body';
  if (facts.asksTokens) return 'tokens';
  if (facts.asksVersion && state.spec.versions !== 'external') return 'version';
  return facts.names.every(({ name }) => leadsTo(table, name, state)) ? undefined : 'names';
};

const hasOtherNames = ({ spec }: RouteState): boolean =>
  spec.indices.some(({ source, target }) => source !== target) || spec.aliases.length > 0;

/** A name that stands for exactly one index of this route. */
const leadsTo = (table: RouteTable, name: string, state: RouteState): boolean => {
  const found = table.lookup(name);
  return found?.length === 1 && found[0]?.state.slug === state.slug;
};
