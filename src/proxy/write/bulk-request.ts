/**
 * Writes the bulk body that goes to one cluster: the actions of one group, with index names replaced by the epoch alias
 * and with what the copies need (`_source` of updates, routing of an alias, the authority's own primary term). Pieces of
 * the client's body are handed on as they lie in memory; only lines that change are new. Invariant: an action that leads
 * to no route, and every document, keeps its bytes.
 * `require_alias` is set on everything routed: should the epoch alias be gone, the server must not create an index of
 * its name.
 */
import { applyEdits, type Edit, eachMember, memberCuts, type Slice, skipSpace, textOf } from '../../json/scan.ts';
import { addParam, getFlag, getParam, removeParam, setParam } from '../query.ts';
import { asksForSource } from './asking.ts';
import type { BulkAction } from './bulk-lines.ts';
import { authorityTerm } from './tokens.ts';

const metaNames = [
  '_index',
  '_id',
  '_source',
  'routing',
  'pipeline',
  'require_alias',
  'if_primary_term',
  'version_type',
] as const;
export type MetaSlices = Partial<Record<(typeof metaNames)[number], Slice>>;

/** Members of the action's metadata object; `at` is where that object opens. */
export type ActionMeta = { readonly at: number; readonly slices: MetaSlices };

export const readMeta = (body: Buffer, action: BulkAction): ActionMeta => {
  const slices: MetaSlices = {};
  let at = action.line.start;
  eachMember(body, action.line.start, (_op, meta) => {
    at = meta.start;
    eachMember(body, meta.start, (key, value) => {
      if ((metaNames as readonly string[]).includes(key)) slices[key as keyof MetaSlices] = value;
    });
  });
  return { at, slices };
};

/** The parameters of the request that are defaults for its actions. */
export type BulkDefaults = {
  readonly routing: string | undefined;
  readonly pipeline: string | undefined;
  readonly requireAlias: boolean;
  readonly asksSource: boolean;
};
export const readDefaults = (query: string): BulkDefaults => ({
  routing: getParam(query, 'routing') || undefined,
  pipeline: getParam(query, 'pipeline'),
  requireAlias: getFlag(query, 'require_alias') === true,
  asksSource: asksForSource(query),
});

/**
 * Routing of an action before an alias adds its own: null leaves what the request says for all, an empty text takes it away,
 * as the server has it.
 */
export const ownRouting = (body: Buffer, { slices }: ActionMeta, defaults: BulkDefaults): string | undefined =>
  (textOf(body, slices.routing) ?? defaults.routing) || undefined;

/** What a routed action needs changed. */
export type ActionChange = {
  readonly alias: string;
  readonly reign: number;
  /** Routing of the addressed alias, when the action has none. */
  readonly addRouting: string | undefined;
  readonly askSource: boolean;
  /** The request as a whole asks for aliases already. */
  readonly aliasByDefault: boolean;
  /** The request's path names the alias already. */
  readonly indexByDefault: boolean;
  /** Where mapping types may be unknown: a server that does not know them refuses the line. */
  readonly dropType: boolean;
};

const additions = (action: BulkAction, { slices }: ActionMeta, change: ActionChange): Record<string, unknown> => ({
  ...(slices._index === undefined && !change.indexByDefault ? { _index: change.alias } : {}),
  ...(change.addRouting === undefined || slices.routing !== undefined ? {} : { routing: change.addRouting }),
  ...(change.askSource ? { _source: true } : {}),
  ...(slices.require_alias === undefined && !change.aliasByDefault && action.op !== 'delete'
    ? { require_alias: true }
    : {}),
});

const replacements = (body: Buffer, { slices }: ActionMeta, change: ActionChange): Edit[] => {
  const edits: Edit[] = [];
  if (slices._index !== undefined) edits.push({ ...slices._index, text: JSON.stringify(change.alias) });
  if (slices.require_alias !== undefined && textOf(body, slices.require_alias) === 'false')
    edits.push({ ...slices.require_alias, text: 'true' });
  // A second member of the same name is refused with the whole body.
  if (slices.routing !== undefined && change.addRouting !== undefined)
    edits.push({ ...slices.routing, text: JSON.stringify(change.addRouting) });
  const given = textOf(body, slices.if_primary_term);
  if (slices.if_primary_term !== undefined && given !== undefined) {
    const term = authorityTerm(given, change.reign);
    if (term !== given) edits.push({ ...slices.if_primary_term, text: term });
  }
  return edits;
};

/** The action line to send instead, without line break; undefined when it may stay as it is. */
export const rewriteAction = (
  body: Buffer,
  { action, meta, change }: { action: BulkAction; meta: ActionMeta; change: ActionChange },
): Buffer | undefined => {
  const added = JSON.stringify(additions(action, meta, change)).slice(1, -1);
  const inside = meta.at + 1;
  const types = change.dropType ? memberCuts(body, meta.at, (key) => key === '_type') : undefined;
  const isEmpty = types === undefined ? body[skipSpace(body, inside)] === 0x7d : types.left === 0;
  // The addition first: it may stand where a cut begins.
  const edits: Edit[] = added === '' ? [] : [{ start: inside, end: inside, text: isEmpty ? added : `${added},` }];
  edits.push(...replacements(body, meta, change), ...(types?.cuts ?? []).map((cut) => ({ ...cut, text: '' })));
  if (edits.length === 0) return undefined;
  const { start, end } = action.line;
  const within = edits.sort((a, b) => a.start - b.start).map((edit) => shift(edit, -start));
  return applyEdits(body.subarray(start, end), within);
};

const shift = ({ start, end, text }: Edit, by: number): Edit => ({ start: start + by, end: end + by, text });

const lineFeed = Buffer.from('\n');

/** One entry per action to send: its place in the client's body and, where they change, its new action and source lines. */
export type OutgoingAction = {
  readonly action: BulkAction;
  readonly line: Buffer | undefined;
  readonly source: Buffer | undefined;
};

/** The body as consecutive pieces; neighbours that stay as they are make one piece. */
export const assemble = (body: Buffer, actions: readonly OutgoingAction[]): Buffer[] => {
  const pieces: Buffer[] = [];
  let open: Slice | undefined;
  const close = () => {
    if (open !== undefined) pieces.push(body.subarray(open.start, open.end));
    open = undefined;
  };
  const keep = (start: number, end: number) => {
    if (open?.end === start) open = { start: open.start, end };
    else {
      close();
      open = { start, end };
    }
  };
  const replace = (line: Buffer) => {
    close();
    pieces.push(line, lineFeed);
  };
  for (const { action, line, source } of actions) {
    if (line === undefined) keep(action.line.start, action.line.end + 1);
    else replace(line);
    if (source !== undefined) replace(source);
    else if (action.source !== undefined) keep(action.source.start, sourceEnd(body, action.source));
  }
  close();
  return pieces;
};

/** Past the line break, and past the carriage return that the slice leaves out. */
const sourceEnd = (body: Buffer, { end }: Slice): number => (body[end] === 0x0a ? end + 1 : end + 2);

/** Answers must come whole, to be read and cut to size here; aliases are asked for at once when all actions are routed. */
export const bulkQuery = (query: string, aliases: boolean): string => {
  const unfiltered = removeParam(query, 'filter_path');
  if (!aliases) return unfiltered;
  return getFlag(unfiltered, 'require_alias') === false
    ? setParam(unfiltered, 'require_alias', 'true')
    : addParam(unfiltered, 'require_alias', 'true');
};
