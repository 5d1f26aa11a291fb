/**
 * Divides the actions of a bulk by the side that must take them and writes the request for each: what leads to no route
 * goes to the source, what is routed goes to its authority through the epoch alias, and what the server itself would
 * refuse under the client's name is refused here. Pure: tickets come in as the states they carry.
 */
import type { RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import { applyEdits, type Edit, type Slice, textOf } from '../../json/scan.ts';
import { getFlag } from '../query.ts';
import { withoutType } from '../typeless.ts';
import type { Operation, RequestHead, RoutedIndex } from '../types.ts';
import { updateFacts } from './asking.ts';
import type { BulkAction } from './bulk-lines.ts';
import {
  type ActionMeta,
  assemble,
  type BulkDefaults,
  bulkQuery,
  type OutgoingAction,
  ownRouting,
  readMeta,
  rewriteAction,
} from './bulk-request.ts';
import { authorityOf, isCopying, pathWithQuery, type WriteTarget, withIndex, writeName } from './names.ts';
import { mayDelete } from './post-image.ts';
import { hiddenToken, noWriteIndex, type Refusal, refusalOf } from './refusals.ts';
import { hidesToken, updateTermEdit } from './update-term.ts';

/** The request as the client sent it. */
export type BulkInput = {
  readonly body: Buffer;
  readonly head: RequestHead;
  readonly operation: Operation;
  readonly defaults: BulkDefaults;
};

/** An action with its position in the client's body; `name` is what it addressed. */
export type Addressed = { readonly position: number; readonly action: BulkAction; readonly name: string };

export type Routed = {
  readonly index: RoutedIndex;
  readonly meta: ActionMeta;
  readonly routing: string | undefined;
  readonly askedSource: boolean;
  readonly mayDelete: boolean;
  /** The conflict token in the source of an update, as the authority knows it. */
  readonly term: Edit | undefined;
};
export type Entry = Addressed & { readonly routed: Routed | undefined };
export type Group = { readonly side: Side; readonly entries: readonly Entry[] };
export type Division = {
  readonly groups: readonly Group[];
  readonly refused: readonly { readonly entry: Addressed; readonly refusal: Refusal }[];
};

export type Addressing = {
  readonly target: (name: string) => WriteTarget;
  /** The state that the ticket of this route carries. */
  readonly stateOf: (slug: string) => RouteState;
  readonly isAlias: (state: RouteState, name: string) => boolean;
};

export const divide = (input: BulkInput, actions: readonly Addressed[], addressing: Addressing): Division => {
  const entries: Record<Side, Entry[]> = { source: [], target: [] };
  const refused: { entry: Addressed; refusal: Refusal }[] = [];
  const askForSources = mayAskForSources(input, actions);
  for (const addressed of actions) {
    const target = addressing.target(addressed.name);
    if (target.kind === 'ambiguous') refused.push({ entry: addressed, refusal: noWriteIndex(addressed.name) });
    else if (target.kind === 'unrouted') entries.source.push({ ...addressed, routed: undefined });
    else {
      const index = { ...target.index, state: addressing.stateOf(target.index.state.slug) };
      const routed = routeAction(input, addressed, { index, addressing, askForSources });
      if ('error' in routed) refused.push({ entry: addressed, refusal: routed });
      else if (index.state.phase.phase === 'off') entries.source.push({ ...addressed, routed: undefined });
      else entries[authorityOf(index.state)].push({ ...addressed, routed });
    }
  }
  const groups = (['source', 'target'] as const).map((side) => ({ side, entries: entries[side] }));
  return { groups: groups.filter((group) => group.entries.length > 0), refused };
};

/** Beyond this many updates their documents are read back in pages, so that the answer stays of a bounded size. */
const maxAskedUpdates = 500;

const mayAskForSources = ({ head, defaults }: BulkInput, actions: readonly Addressed[]): boolean => {
  if (defaults.asksSource || getFlag(head.query, 'pretty') === true) return false;
  let updates = 0;
  for (const { action } of actions) if (action.op === 'update') updates++;
  return updates <= maxAskedUpdates;
};

type RouteActionOptions = { index: RoutedIndex; addressing: Addressing; askForSources: boolean };

const routeAction = (
  { body, defaults }: BulkInput,
  { action, name }: Addressed,
  { index, addressing, askForSources }: RouteActionOptions,
): Routed | Refusal => {
  const { state, aliasRouting } = index;
  const meta = readMeta(body, action);
  const { slices } = meta;
  const routing = ownRouting(body, meta, defaults);
  const ownRequire = textOf(body, slices.require_alias);
  const refusal = refusalOf({
    state,
    op: action.op,
    name,
    addressesAlias: addressing.isAlias(state, name),
    requireAlias: ownRequire === undefined ? defaults.requireAlias : ownRequire === 'true',
    routing,
    aliasRouting,
    versionType: textOf(body, slices.version_type),
  });
  if (refusal !== undefined) return refusal;
  const { reign } = state.phase;
  const update = action.op === 'update' && action.source ? updateFacts(body, action.source.start) : undefined;
  if (action.op === 'update' && action.source && hidesToken(sliceOf(body, action.source), update, reign))
    return hiddenToken;
  const unasked = update !== undefined && !update.asksSource && slices._source === undefined;
  return {
    index,
    meta,
    routing: routing ?? aliasRouting,
    askedSource: askForSources && unasked && isCopying(state),
    mayDelete: mayDelete(action.op, update?.hasScript ?? true),
    term: updateTermEdit(body, update?.term, reign),
  };
};

const sliceOf = (body: Buffer, { start, end }: Slice): Buffer => body.subarray(start, end);

export type GroupRequest = { readonly path: string; readonly pieces: readonly Buffer[] };

/** @param defaultTarget where the index in the path leads; undefined when the path names none */
export const writeGroup = (input: BulkInput, group: Group, defaultTarget: RoutedIndex | undefined): GroupRequest => {
  const aliases = group.entries.every((entry) => entry.routed !== undefined);
  const byDefault = group.entries.find(({ action, routed }) => action.index === undefined && routed !== undefined);
  const defaultIndex = defaultTarget === undefined ? undefined : byDefault?.routed?.index;
  const { side } = group;
  const { path, query } = input.head;
  const plain = side === 'target' ? withoutType(path, input.operation) : path;
  const target = { path: plain, query: bulkQuery(query, aliases) };
  const named =
    defaultIndex === undefined
      ? target
      : withIndex({ ...target, path, side }, input.operation, [writeName(defaultIndex.state, defaultIndex.ordinal)]);
  const hasDefault = defaultIndex !== undefined;
  const outgoing = group.entries.map((entry) => outgoingOf(input, entry, { aliases, hasDefault }));
  return { path: pathWithQuery(named), pieces: assemble(input.body, outgoing) };
};

const outgoingOf = (
  { body, defaults }: BulkInput,
  { action, routed }: Entry,
  { aliases, hasDefault }: { aliases: boolean; hasDefault: boolean },
): OutgoingAction => {
  if (routed === undefined) return { action, line: undefined, source: undefined };
  const { index, meta, term } = routed;
  const { state, ordinal, aliasRouting } = index;
  const hasRouting = ownRouting(body, meta, defaults) !== undefined;
  const change = {
    alias: writeName(state, ordinal),
    reign: state.phase.reign,
    addRouting: hasRouting ? undefined : aliasRouting,
    askSource: routed.askedSource,
    aliasByDefault: aliases,
    indexByDefault: hasDefault,
    dropType: authorityOf(state) === 'target',
  };
  return { action, line: rewriteAction(body, { action, meta, change }), source: editedSource(body, action, term) };
};

const editedSource = (body: Buffer, { source }: BulkAction, term: Edit | undefined): Buffer | undefined => {
  if (source === undefined || term === undefined || term.end > source.end) return undefined;
  const within = { ...term, start: term.start - source.start, end: term.end - source.start };
  return applyEdits(sliceOf(body, source), [within]);
};
