/**
 * Are these two answers to one request equal, and how badly not? Entry of the comparison room: settles status and
 * completeness, then hands the bodies to the comparator of the API. Pure; equal bytes are recognised before anything is
 * parsed, and each body is parsed at most once.
 */
import { type Context, report } from './context.ts';
import { compareDocument, compareDocuments, compareExplain, comparePresence, compareSource } from './documents.ts';
import { child, Findings } from './findings.ts';
import { gateCompleteness, gateStatus, type Outcome } from './gate.ts';
import {
  compareAnalysis,
  compareFieldCaps,
  compareRankEval,
  compareTermVectorItems,
  compareTermVectors,
  compareValidation,
} from './index-apis.ts';
import type { Bodies } from './items.ts';
import { isObject, type Json, numberMember, parseBody } from './json-value.ts';
import { perfect } from './rank-metrics.ts';
import {
  bodyOf,
  headerQuery,
  isSourceRead,
  msearchItems,
  parseQuery,
  type SearchFacts,
  searchFacts,
  templateFacts,
} from './request.ts';
import type { Rules } from './rules.ts';
import { isSameButTook } from './same-bytes.ts';
import { areSurelySameSearch } from './same-search.ts';
import { type Compared, compareMultiSearch, compareSearch } from './search.ts';
import { compareCount } from './totals.ts';
import type { Answer, Answerer, ComparableApi, ComparedRequest, Observation } from './types.ts';

export type Comparison = {
  api: ComparableApi;
  request: ComparedRequest;
  /** The side whose answer the client got (or the first of an A/A' pair). */
  authority: Answer;
  other: Answer;
  /** Maps an index name in one of the answers to the name both share: one name may mean different indices in the two. */
  renameIndex: (name: string, answerer: Answerer) => string;
  rules: Rules;
};

const isReadById = (api: ComparableApi): boolean => api === 'get' || api === 'explain';

const multiSearchFacts = (request: ComparedRequest): ((item: number) => SearchFacts) => {
  const query = parseQuery(request.query);
  const items = msearchItems(request.body);
  return (i) => {
    const item = items[i];
    return item ? searchFacts(item.body, headerQuery(item.header, query)) : templateFacts(query);
  };
};

const oneSearchFacts = (request: ComparedRequest): SearchFacts => {
  const query = parseQuery(request.query);
  return searchFacts(bodyOf(request, query), query);
};

const compareCounts = (context: Context, request: ComparedRequest, bodies: Bodies): Compared => {
  const mayStopEarly = parseQuery(request.query).has('terminate_after');
  const gate = gateCompleteness(context, bodies, { path: undefined, mayStopEarly });
  if (gate.kind !== 'compare') return gate.kind === 'discard' ? { discard: gate.reason } : {};
  const [authority, other] = [numberMember(bodies.authority, 'count'), numberMember(bodies.other, 'count')];
  if (authority !== undefined && other !== undefined)
    compareCount(context, child(undefined, 'count'), { authority, other });
  return {};
};

type SearchApi = 'search' | 'template_search' | 'msearch' | 'msearch_template' | 'count';
type Comparator = (context: Context, bodies: Bodies, comparison: Comparison) => void;

const compareGet: Comparator = (context, bodies, { request, authority, other }) =>
  isSourceRead(request)
    ? compareSource(context, { authority: authority.status, other: other.status }, bodies)
    : compareDocument(context, undefined, bodies);

/** APIs whose answers need nothing of the request to be compared. */
const plainComparators: Readonly<Record<Exclude<ComparableApi, SearchApi>, Comparator>> = {
  get: compareGet,
  mget: compareDocuments,
  explain: compareExplain,
  field_caps: compareFieldCaps,
  validate: compareValidation,
  termvectors: (context, bodies) => compareTermVectors(context, undefined, bodies),
  mtermvectors: compareTermVectorItems,
  rank_eval: compareRankEval,
  analyze: compareAnalysis,
};

const compareBodies = (context: Context, comparison: Comparison, bodies: Bodies): Compared => {
  const { api, request } = comparison;
  switch (api) {
    case 'search':
      return compareSearch(context, undefined, bodies, oneSearchFacts(request));
    case 'template_search':
      return compareSearch(context, undefined, bodies, templateFacts(parseQuery(request.query)));
    case 'msearch':
      return compareMultiSearch(context, bodies, multiSearchFacts(request));
    case 'msearch_template':
      return compareMultiSearch(context, bodies, () => templateFacts(parseQuery(request.query)));
    case 'count':
      return compareCounts(context, request, bodies);
    default:
      plainComparators[api](context, bodies, comparison);
      return {};
  }
};

const outcome = ({ status, failure }: Answer, body: Json | undefined): Outcome => ({ status, failure, body });

/** Neither, or only one, of the bodies is JSON. */
const compareUnparsed = (
  context: Context,
  comparison: Comparison,
  parsed: { authority: Json | undefined; other: Json | undefined },
): Compared => {
  const { authority, other } = comparison;
  if (isReadById(comparison.api)) comparePresence(context, { authority: authority.status, other: other.status });
  if (isSameButTook(authority.body, other.body)) return {};
  if (parsed.authority === undefined) return { discard: 'not_json' };
  report(context, { severity: 'S1', kind: 'unparsable', path: undefined, authority: parsed.authority });
  return {};
};

const compareHeaders = (context: Context, { authority, other, rules }: Comparison): void => {
  for (const name of rules.profile.headers) {
    const [a, b] = [authority, other].map(({ headers }) => [headers?.[name.toLowerCase()] ?? []].flat());
    if (a!.join() !== b!.join())
      report(context, {
        severity: 'S9',
        kind: 'header',
        path: child(child(undefined, 'headers'), name),
        authority: [...a!],
        other: [...b!],
      });
  }
};

const parseSides = ({ authority, other }: Comparison): { authority: Json | undefined; other: Json | undefined } => {
  const first = parseBody(authority.body);
  return { authority: first, other: isSameButTook(authority.body, other.body) ? first : parseBody(other.body) };
};

const run = (context: Context, comparison: Comparison): Compared => {
  const parsed = parseSides(comparison);
  const sides = {
    authority: outcome(comparison.authority, parsed.authority),
    other: outcome(comparison.other, parsed.other),
  };
  const gate = gateStatus(context, undefined, sides, isReadById(comparison.api));
  if (gate.kind === 'discard') return { discard: gate.reason, otherBetter: gate.otherBetter };
  if (gate.kind === 'done') return {};
  compareHeaders(context, comparison);
  const { authority, other } = parsed;
  if (authority === undefined || other === undefined || !isObject(authority))
    return compareUnparsed(context, comparison, parsed);
  return compareBodies(context, comparison, { authority, other });
};

const isWell = ({ status, failure }: Answer): boolean => status === 200 && failure === undefined;

const areSurelySame = ({ api, authority, other, rules }: Omit<Comparison, 'renameIndex'>): boolean =>
  api === 'search' &&
  isWell(authority) &&
  isWell(other) &&
  rules.profile.headers.length === 0 &&
  areSurelySameSearch(authority.body, other.body);

/** What the short cut says, which parses nothing; undefined = compare in full. */
export const compareBytes = (comparison: Omit<Comparison, 'renameIndex'>): Observation | undefined =>
  areSurelySame(comparison) ? { severity: 'none', differences: [], counts: {}, metrics: perfect } : undefined;

export const compareAnswers = (comparison: Comparison): Observation =>
  compareBytes(comparison) ?? compareInFull(comparison);

/** Without the short cut, which must never say anything else. */
export const compareInFull = (comparison: Comparison): Observation => {
  const { rules, renameIndex } = comparison;
  const findings = new Findings(rules);
  const { metrics, discard, otherBetter } = run({ findings, rules, renameIndex, soft: false }, comparison);
  if (discard) return { severity: 'none', differences: [], counts: {}, discard, ...(otherBetter && { otherBetter }) };
  return {
    severity: findings.worst,
    differences: findings.differences(),
    counts: findings.counts,
    ...(metrics && { metrics }),
    ...(findings.applied.length > 0 && { applied: findings.applied }),
  };
};
