/**
 * Plans changes of documents. A write that touches a route must be one that can be carried to the other side; anything
 * else is refused before it reaches a cluster. There is no "pass and hope" for writes.
 */
import { resolveSingleName } from '../index-expression.ts';
import { aliasRouting } from '../read/side-names.ts';
import { writeIndexOf } from '../route-table.ts';
import type { Plan } from '../types.ts';
import { type Context, expressionOf, reject, resolveIndices, resolveSingle, slugsOf, unrouted } from './context.ts';

/** index, create, update, delete */
export const planWrite = (context: Context): Plan => {
  const { operation, now } = context;
  const resolution = resolveSingle(context);
  if (resolution.kind === 'none') return unrouted;
  const expression = expressionOf(operation);
  if (resolution.kind === 'mixed')
    return reject('MIXED_ROUTES', `[${expression}] may lead to several routes: ${slugsOf(resolution.states)}`);
  const index = writeIndexOf(resolveSingleName(expression, now), resolution.indices);
  return index === undefined
    ? reject('UNSUPPORTED', `[${expression}] leads to several indices and the route names no writeIndex for it`)
    : { kind: 'write', operation, index };
};

/** Any line may name any index. */
export const planBulk = ({ operation, table }: Context): Plan => {
  if (table.states.length === 0) return unrouted;
  const expression = expressionOf(operation);
  return { kind: 'bulk', operation, defaultIndex: expression === '' ? undefined : expression };
};

export const planBulkStream = ({ table }: Context): Plan =>
  table.states.length === 0
    ? unrouted
    : reject('UNSUPPORTED', `bulk streaming is refused while routes are active (${slugsOf(table.states)}); use _bulk`);

export const planByQuery = (context: Context): Plan => {
  const { operation, query } = context;
  const resolution = resolveIndices(context);
  const expression = expressionOf(operation);
  if (resolution.kind === 'none') return unrouted;
  if (resolution.kind === 'mixed') {
    const code = /[*<]|^$|_all/.test(expression) ? 'UNSUPPORTED' : 'MIXED_ROUTES';
    return reject(
      code,
      `[${expression}] touches ${slugsOf(resolution.states)} and more; name the indices of one route`,
    );
  }
  if (query.params.has('source'))
    return reject('UNSUPPORTED', 'the query must stand in the body, not in the source parameter');
  if (aliasRouting(resolution.indices).kind === 'mixed')
    return reject('UNSUPPORTED', 'aliases with different routing cannot be changed by one query');
  return { kind: 'by_query', operation, indices: resolution.indices };
};

/** Source and destination stand in the body. */
export const planReindex = ({ operation, table }: Context): Plan =>
  table.states.length === 0 ? unrouted : { kind: 'reindex', operation };
