/**
 * Plans statements of SQL and PPL. They name indices in a text that is not rewritten, so one passes to the source or is
 * refused: where it may read a route that has moved, where a wildcard would reach both indices of a route in one cluster,
 * and where it deletes, because a deletion that no copy carries would stay on the follower. Pure.
 */
import type { RouteState } from '../../coordination/ports.ts';
import type { Plan } from '../types.ts';
import { authorityOf, isAllOnSource, type PlanInput, pass, reject, slugsOf, unrouted } from './context.ts';
import { mentionsRoute, wildcardsReach } from './mentions.ts';

export type Statement = {
  /** The members of the body, where it is a JSON object. */
  readonly cursor: unknown;
  readonly query: unknown;
  /** The whole body. */
  readonly text: string;
};

/** A later page names its side itself, and has none but the source as long as nothing moved. */
export const planStatement = (input: Omit<PlanInput, 'head'>, statement: Statement): Plan => {
  const { operation, table } = input;
  if (typeof statement.cursor === 'string')
    return isAllOnSource(table.states) ? pass('source', 'pinned') : { kind: 'cursor', operation };
  const { query, text } = statement;
  const words = typeof query === 'string' ? query : text;
  return (
    refuseDelete(input, statement) ??
    refuseMoved(words, table.states) ??
    refuseBothIndices(words, input) ??
    (mentionsRoute(words, table.states) ? pass('source', 'pinned') : unrouted)
  );
};

const refuseMoved = (words: string, states: readonly RouteState[]): Plan | undefined => {
  const moved = states.filter((state) => authorityOf(state) === 'target');
  if (moved.length === 0 || !mentionsRoute(words, moved)) return undefined;
  return reject(
    'UNSUPPORTED',
    `the statement may read indices of a route that moved to the target (${slugsOf(moved)}); ask the target cluster directly`,
  );
};

const refuseDelete = ({ operation, table }: Omit<PlanInput, 'head'>, { query, text }: Statement): Plan | undefined => {
  if (operation.family !== 'sql') return undefined;
  const deletes = typeof query === 'string' ? beginsWithDelete(query) : /\bdelete\b/i.test(text);
  return deletes && mentionsRoute(typeof query === 'string' ? query : text, table.states)
    ? reject(
        'UNSUPPORTED',
        `a statement must not delete from routed indices (${slugsOf(table.states)}); use _delete_by_query`,
      )
    : undefined;
};

/** A comment that begins with `!` has at least one more character. Looked for one by one: together they could take for ever. */
const blankOrComment = /[\s;(]+|\/\*(?:![^])?[^]*?\*\/|(?:--|#)[^\n]*\n/y;

/** Behind blanks, comments and brackets. */
const beginsWithDelete = (query: string): boolean => {
  let at = 0;
  for (blankOrComment.lastIndex = 0; blankOrComment.test(query);) at = blankOrComment.lastIndex;
  return /^delete\b/i.test(query.slice(at, at + 'delete '.length));
};

const refuseBothIndices = (words: string, { table, sameCluster }: Omit<PlanInput, 'head'>): Plan | undefined => {
  if (sameCluster !== true) return undefined;
  const reached = table.states.filter(({ spec }) =>
    wildcardsReach(
      words,
      spec.indices.map(({ target }) => target),
    ),
  );
  return reached.length === 0
    ? undefined
    : reject(
        'UNSUPPORTED',
        `a wildcard in a statement reaches both indices of a route (${slugsOf(reached)}); name one`,
      );
};
