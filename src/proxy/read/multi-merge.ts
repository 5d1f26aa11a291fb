/** Puts the items of several answers into the client's order; an item that nobody answered is an error in its place. */
import { CrossfadeError, renderError } from '../../errors.ts';
import type { Family } from '../types.ts';
import type { MultiItem } from './multi-body.ts';

type Placed = { readonly position: number; readonly item: Uint8Array | undefined };

/** @throws CrossfadeError UPSTREAM_INVALID when a side gave fewer items than it was asked for */
export const mergeItems = (count: number, placed: readonly Placed[]): Uint8Array[] => {
  const found = new Map(placed.map(({ position, item }) => [position, item]));
  return Array.from({ length: count }, (_, position) => {
    const item = found.get(position);
    if (item === undefined) throw new CrossfadeError('UPSTREAM_INVALID', `The answer has no item ${position}.`);
    return item;
  });
};

type FailedItem = { readonly item: MultiItem; readonly error: CrossfadeError };

/** As a cluster reports it: msearch items carry a status, documents their index and id. */
export const failedItem = (family: Family, { item, error }: FailedItem): Buffer => {
  const { body } = renderError(error);
  if (family === 'msearch' || family === 'msearch_template') return Buffer.from(body);
  const { error: reason } = JSON.parse(body) as { error: unknown };
  return Buffer.from(JSON.stringify({ _index: item.expression, _id: item.id, error: reason }));
};
