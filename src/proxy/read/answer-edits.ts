/**
 * Makes an answer what the client would have got from the source before the migration: index names of the target become
 * the client's, primary terms carry the reign, and ids that only one cluster understands name their side. Says first
 * whether anything has to change at all, because an answer that stays as it is can be streamed.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, type Side } from '../../coordination/records.ts';
import { isOwnAlias } from '../../coordination/keys.ts';
import { applyEdits, type Edit, eachMember, memberCuts, members, parseSlice, type Slice } from '../../json/scan.ts';
import { answersInJson } from '../answers-in-json.ts';
import { getFlag, getParam } from '../query.ts';
import { type IndexNames, renameIndices } from '../rename.ts';
import { CrossfadeError } from '../../errors.ts';
import type { Family, RequestHead } from '../types.ts';
import { clientTerm, impossibleTerm } from '../write/tokens.ts';
import { type CursorOrigin, noReign, type Mac, needsWrapping, wrapCursor } from './cursor-token.ts';
import { isJson, isSourceOnly } from './judge-follower.ts';
import type { ReignOf } from './reigns.ts';
import { renameInfo } from './rename-info.ts';
import { showTerms, type ShowTerm } from './show-terms.ts';

export type AnswerContext = {
  readonly family: Family;
  readonly group: string;
  /** The side that answers, and the reign in which the request (or the cursor it continues) began. */
  readonly origin: CursorOrigin;
  /** Client names of the target's indices. */
  readonly names: IndexNames;
  readonly mac: Mac;
  /** For an origin of no one reign; without it such an answer is the follower's. */
  readonly reignOf?: ReignOf;
};

/** What primary terms become; a term of the follower can be given out only so that it never matches. */
export const shownTerm = ({ reign }: CursorOrigin, reignOf?: ReignOf): ShowTerm => {
  if (reign !== noReign) return (term) => clientTerm(term, reign);
  return (term, index) => {
    const own = index === undefined ? undefined : reignOf?.(index);
    return own === undefined ? impossibleTerm : clientTerm(term, own);
  };
};

/** Answers about indices that hold no documents. */
const infoFamilies: ReadonlySet<Family> = new Set<Family>([
  'field_caps',
  'validate',
  'search_shards',
  'analyze',
  'index_info',
  'alias_info',
  'index_maintenance',
  'index_admin',
  'alias_admin',
  'refresh',
  'flush',
  'cluster',
  'cat',
]);

const cursorMembers: Partial<Record<Family, readonly string[]>> = {
  pit_create: ['pit_id'],
  search: ['_scroll_id', 'pit_id'],
  template_search: ['_scroll_id'],
  scroll: ['_scroll_id'],
};

export type AnswerNeeds = {
  readonly rename: boolean;
  readonly terms: boolean;
  readonly cursor: boolean;
  /** The terms are wanted, and do not just stand there as in each document. */
  readonly asksTerms?: boolean;
  /** The answer lists aliases, and those of the migration are not the client's. */
  readonly hideAliases?: boolean;
};

/** `asksTokens`: what the body says; undefined = it was not looked at. */
export const answerNeeds = (
  { family, group, origin, names }: Omit<AnswerContext, 'mac'>,
  request: { query: string; method: string; asksTokens: boolean | undefined },
): AnswerNeeds => {
  const none = request.method === 'HEAD' || isSourceOnly(group);
  const rename = origin.side === 'target' && names.size > 0;
  if (none) return { rename: rename && request.method !== 'HEAD', terms: false, cursor: false };
  // A document always carries its term, also one that is explained and shown, and what a stored template asks for stands on the cluster.
  const unseen = family === 'get' || family === 'explain' || family === 'template_search';
  const asks = request.asksTokens === true || getFlag(request.query, 'seq_no_primary_term') === true;
  const mayShowTerms = unseen || (!infoFamilies.has(family) && (asks || request.asksTokens === undefined));
  const terms = mayShowTerms && origin.reign !== 1;
  return {
    rename,
    terms,
    asksTerms: terms && asks,
    cursor: needsWrapping(origin) && opensCursor(family, request.query),
  };
};

const opensCursor = (family: Family, query: string): boolean =>
  cursorMembers[family] !== undefined &&
  (family === 'pit_create' || family === 'scroll' || getParam(query, 'scroll') !== undefined);

export const needsNothing = ({ rename, terms, cursor, hideAliases }: AnswerNeeds): boolean =>
  !rename && !terms && !cursor && hideAliases !== true;

/**
 * Ids and terms in YAML, CBOR and SMILE cannot be changed, and unchanged they would be good for nothing.
 * @throws CrossfadeError UNSUPPORTED
 */
export const refuseOtherFormats = (
  { cursor, asksTerms }: Pick<AnswerNeeds, 'cursor' | 'asksTerms'>,
  head: RequestHead,
): void => {
  if ((!cursor && asksTerms !== true) || answersInJson(head)) return;
  const what = cursor ? 'Cursors' : 'Primary terms';
  throw new CrossfadeError('UNSUPPORTED', `${what} of this route can be given out in JSON only.`);
};

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
};

/**
 * The body for the client; bodies that are not JSON, or broken, stay as they are.
 * @throws CrossfadeError UPSTREAM_INVALID where a cursor in such a body would go out without its side
 */
export const editAnswer = (answer: Answer, context: AnswerContext, needs: AnswerNeeds): Buffer => {
  const { body, status } = answer;
  if (needsNothing(needs) || body.length === 0) return body;
  if (!isJson(answer) && needs.cursor && status < 300)
    throw new CrossfadeError('UPSTREAM_INVALID', 'The answer opens a cursor and is not JSON.');
  if (!isJson(answer)) return needs.rename && context.family === 'cat' ? renameText(body, context.names) : body;
  try {
    const listed = needs.hideAliases === true ? hideAliases(body) : body;
    const shown = needs.terms ? showTerms(listed, shownTerm(context.origin, context.reignOf)) : listed;
    const wrapped = needs.cursor ? wrapMembers(shown, cursorMembers[context.family] ?? [], context) : shown;
    return needs.rename ? rename(wrapped, status, context) : wrapped;
  } catch (error) {
    if (error instanceof SyntaxError) return body;
    throw error;
  }
};

/** Below each index, `aliases` without those that members write and copy through. */
const hideAliases = (body: Buffer): Buffer => {
  const cuts: Slice[] = [];
  eachMember(body, 0, (_index, { start }) => {
    if (body[start] !== 0x7b) return;
    const { aliases } = members(body, start, ['aliases']);
    if (aliases !== undefined && body[aliases.start] === 0x7b)
      cuts.push(...memberCuts(body, aliases.start, isOwnAlias).cuts);
  });
  return applyEdits(
    body,
    cuts.map((cut) => ({ ...cut, text: '' })),
  );
};

/** Tables of plain text: whole words only. */
const renameText = (body: Buffer, names: IndexNames): Buffer =>
  Buffer.from(body.toString('utf8').replaceAll(/\S+/g, (word) => names.get(word) ?? word));

const rename = (body: Buffer, status: number, { family, group, names }: AnswerContext): Buffer => {
  if (isSourceOnly(group) && status === 200) return body;
  const renamed = renameIndices(body, names);
  return infoFamilies.has(family) ? renameInfo(renamed, names) : renamed;
};

/** Names the side in ids that stand in the outermost object. */
export const wrapMembers = (
  body: Buffer,
  names: readonly string[],
  { origin, mac }: Pick<AnswerContext, 'origin' | 'mac'>,
): Buffer => {
  const found = members(body, 0, names);
  const edits: Edit[] = [];
  for (const slice of Object.values(found)) {
    const id = slice === undefined ? undefined : parseSlice(body, slice);
    if (slice !== undefined && typeof id === 'string')
      edits.push({ ...slice, text: JSON.stringify(wrapCursor(id, origin, mac)) });
  }
  return applyEdits(
    body,
    edits.sort((a, b) => a.start - b.start),
  );
};

/** The origin of what a side says about a route in its present phase. */
export const originOf = (side: Side, { phase }: Pick<RouteState, 'phase'>): CursorOrigin => ({
  side,
  reign: side === authorityIn(phase.phase) ? phase.reign : noReign,
});
