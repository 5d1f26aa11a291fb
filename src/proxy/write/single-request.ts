/**
 * Rewrites one index, create, update or delete for the authority: the epoch alias instead of the client's name, routing
 * of the addressed alias, the authority's own primary term, and, while copies are made, whatever lets the answer tell the
 * post-image. The client's document is never touched. Pure: the same request under the same state gives the same result.
 */
import { applyEdits, skipSpace } from '../../json/scan.ts';
import { answersInJson } from '../answers-in-json.ts';
import { addParam, getFlag, getParam, removeParam, setParam } from '../query.ts';
import type { Operation, RequestHead, RoutedIndex } from '../types.ts';
import { asItCame, type Form, formOf } from './answer-form.ts';
import { asksForSource, updateFacts } from './asking.ts';
import { documentLine } from '../../json/document-line.ts';
import { authorityOf, isCopying, pathWithQuery, withIndex, writeName } from './names.ts';
import { mayDelete, type WriteOp } from './post-image.ts';
import { hiddenToken, type Refusal, refusalOf } from './refusals.ts';
import type { RequestBody } from './request-body.ts';
import { authorityTerm } from './tokens.ts';
import { hidesToken, updateTermEdit } from './update-term.ts';

export type SingleWrite = {
  readonly op: WriteOp;
  readonly operation: Operation;
  readonly head: RequestHead;
  readonly body: RequestBody;
  /** As the client wrote it, decoded. */
  readonly name: string;
  readonly addressesAlias: boolean;
};

export type PreparedWrite = {
  readonly path: string;
  /** The client's own bytes unless they hold a conflict token of a later reign. */
  readonly body: Buffer;
  readonly alias: string;
  readonly routing: string | undefined;
  /** `_source` was asked for by us: the answer's `get` is the post-image, and is not for the client. */
  readonly askedSource: boolean;
  /** The answer will be JSON, or nobody has to read it. */
  readonly readable: boolean;
  /** Its filter is taken out of the request, to be applied to the answer. */
  readonly form: Form;
  readonly pipeline: string | undefined;
  readonly document: Uint8Array | undefined;
  readonly mayDelete: boolean;
  readonly refresh: 'true' | 'wait_for' | undefined;
};

/** A refusal when the server would refuse the client's own name, or the route the kind of version. */
export const prepareSingle = (write: SingleWrite, index: RoutedIndex): PreparedWrite | Refusal => {
  const { op, head, body, name, addressesAlias } = write;
  const { state, ordinal, aliasRouting } = index;
  const { query } = head;
  const routing = getParam(query, 'routing') || undefined;
  const refusal = refusalOf({
    state,
    op,
    name,
    addressesAlias,
    requireAlias: getFlag(query, 'require_alias') === true,
    routing,
    aliasRouting,
    versionType: getParam(query, 'version_type'),
  });
  if (refusal !== undefined) return refusal;
  const alias = writeName(state, ordinal);
  const copying = isCopying(state);
  const update = op === 'update' && body.json ? updateFacts(body.bytes, startOf(body.bytes)) : undefined;
  if (op === 'update' && hidesToken(body.bytes, update, state.phase.reign)) return hiddenToken;
  const term = updateTermEdit(body.bytes, update?.term, state.phase.reign);
  const whole = copying && answersInJson(head);
  const askedSource = whole && canAsk(head, update);
  const rewritten = rewriteQuery(query, { write, index, askedSource, whole });
  return {
    path: pathWithQuery(
      withIndex({ path: head.path, query: rewritten, side: authorityOf(state) }, write.operation, [alias]),
    ),
    body: term === undefined ? body.bytes : applyEdits(body.bytes, [term]),
    alias,
    routing: routing ?? aliasRouting,
    askedSource,
    readable: whole || !copying,
    form: whole ? formOf(query) : asItCame,
    pipeline: getParam(query, 'pipeline'),
    document: body.json && (op === 'index' || op === 'create') ? documentLine(body.bytes) : undefined,
    mayDelete: mayDelete(op, update?.hasScript ?? true),
    refresh: refreshOf(query),
  };
};

const startOf = (bytes: Buffer): number => skipSpace(bytes, 0);

/** Pretty answers print the document anew, so they do not hold it byte for byte. */
const canAsk = ({ query }: RequestHead, update: ReturnType<typeof updateFacts>): boolean =>
  update !== undefined && !update.asksSource && !asksForSource(query) && getFlag(query, 'pretty') !== true;

type Rewriting = { write: SingleWrite; index: RoutedIndex; askedSource: boolean; whole: boolean };

const rewriteQuery = (query: string, { write, index, askedSource, whole }: Rewriting): string => {
  const { state, aliasRouting } = index;
  let text = whole ? removeParam(query, 'filter_path') : query;
  const term = getParam(text, 'if_primary_term');
  if (term !== undefined)
    text = changeParam(text, 'if_primary_term', { from: term, to: authorityTerm(term, state.phase.reign) });
  if (aliasRouting !== undefined) text = getParam(text, 'routing') ? text : setParam(text, 'routing', aliasRouting);
  if (askedSource) text = setParam(text, '_source', 'true');
  return write.op === 'delete' ? text : requireAlias(text);
};

const changeParam = (query: string, name: string, { from, to }: { from: string; to: string }): string =>
  from === to ? query : setParam(query, name, to);

/** Should the epoch alias be gone, no index of its name may come into being. A value the server refuses stays. */
const requireAlias = (query: string): string =>
  getFlag(query, 'require_alias') === false
    ? setParam(query, 'require_alias', 'true')
    : addParam(query, 'require_alias', 'true');

export const refreshOf = (query: string): 'true' | 'wait_for' | undefined => {
  const value = getParam(query, 'refresh');
  if (value === '' || value === 'true') return 'true';
  return value === 'wait_for' ? 'wait_for' : undefined;
};
