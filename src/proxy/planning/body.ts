/**
 * The second half of a plan whose names stand in the body: alias actions, aliases given to a new index, and statements of
 * SQL and PPL. A body that cannot be understood and could name an index of a route is refused; one that surely names none
 * passes to the source, which then judges it.
 */
import type { RouteState } from '../../coordination/ports.ts';
import type { Operation, Plan, RouteTable } from '../types.ts';
import { commonAuthority, type PlanInput, pass, reject, slugsOf, statesOf, unrouted } from './context.ts';
import { planAliasRepetition, refuseAdmin } from './indices.ts';
import { mentionsRoute } from './mentions.ts';
import { planStatement } from './statement.ts';

export type BodyInput = Omit<PlanInput, 'head'> & {
  /** The whole body, content-encoding undone. */
  readonly body: Uint8Array;
};

/** Never answers `by_body`. */
export const planBody = (input: BodyInput): Plan => {
  const text = textOf(input.body);
  const json = parse(text);
  const { family } = input.operation;
  if (family === 'sql' || family === 'ppl') {
    const { cursor, query } = asObject(json);
    return planStatement(input, { cursor, query, text });
  }
  if (json === undefined)
    return mentionsRoute(text, input.table.states)
      ? reject('BAD_BODY', 'the body could name an index of a route and cannot be read as JSON')
      : unrouted;
  return planAdminBody(input, namesIn(input.operation, json));
};

const textOf = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('utf8');

/** @returns undefined when it is not JSON; an empty body is an empty object */
const parse = (text: string): unknown => {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

type BodyNames = { readonly expressions: readonly string[]; readonly aliases: readonly string[] };

const planAdminBody = ({ operation, table, now }: BodyInput, { expressions, aliases }: BodyNames): Plan => {
  const touched = new Set<RouteState>([
    ...expressions.flatMap((expression) => statesOf(table.resolve(expression, now))),
    ...aliases.flatMap((alias) => aliasStates(alias, table)),
  ]);
  if (touched.size === 0) return unrouted;
  const states = [...touched];
  const refused = refuseAdmin(states);
  const [state, ...others] = states;
  if (refused?.kind === 'reject' && operation.group === 'indices.update_aliases' && state !== undefined)
    return (
      (others.length === 0 ? planAliasRepetition(operation, state, { table, expressions, ...refused }) : undefined) ??
      refused
    );
  if (commonAuthority(states) === 'source') return refused ?? pass('source', 'pinned');
  return (
    refused ?? reject('UNSUPPORTED', `names in the body belong to routes that moved to the target (${slugsOf(states)})`)
  );
};

const aliasStates = (alias: string, table: RouteTable): RouteState[] =>
  (table.lookup(alias) ?? []).map((index) => index.state);

const namesIn = (operation: Operation, json: unknown): BodyNames => {
  switch (operation.group) {
    case 'indices.update_aliases':
    case 'indices.modify_data_stream':
      return namesInActions(json);
    case 'indices.put_alias':
      return putAliasNames(operation, asObject(json));
    default:
      return { expressions: [], aliases: Object.keys(asObject(asObject(json).aliases)) };
  }
};

/** An alias counts where one is added: removing is bound to the index. An action without an index is always an error. */
const namesInActions = (json: unknown): BodyNames => {
  const actions = asList(asObject(json).actions).flatMap((action) => Object.entries(asObject(action)));
  const expressions = actions.map(([, action]) => expressionIn(asObject(action)));
  const added = actions.filter(([verb]) => verb === 'add').map(([, action]) => asObject(action));
  return {
    expressions: expressions.filter((expression) => expression !== ''),
    aliases: added.flatMap(({ alias, aliases }) => [...asNames(alias), ...asNames(aliases)]),
  };
};

const expressionIn = ({ index, indices }: Record<string, unknown>): string =>
  [...asNames(index), ...asNames(indices)].join(',');

const putAliasNames = ({ params }: Operation, body: Record<string, unknown>): BodyNames => ({
  expressions: [expressionIn(body) || (params.index ?? '')],
  aliases: [...asNames(body.alias), ...asNames(body.aliases)],
});

const asObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const asNames = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((name) => typeof name === 'string');
