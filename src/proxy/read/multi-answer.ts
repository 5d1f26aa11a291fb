/**
 * Answers of multi requests: taken apart into the answers of their items, and written anew from items of several answers.
 * Items stay byte for byte.
 */
import { prettyJson } from '../../json/pretty.ts';
import { eachElement, members, parseSlice } from '../../json/scan.ts';
import type { Family } from '../types.ts';
import { isLines } from './multi-body.ts';

/** The parts of an answer that are merged: its items in order, and how long it took. */
export type MultiAnswer = { readonly items: readonly Buffer[]; readonly tookMs: number | undefined };

/** @throws SyntaxError when the answer is not the one of a multi request */
export const parseMultiAnswer = (family: Family, body: Buffer): MultiAnswer => {
  const key = isLines(family) ? 'responses' : 'docs';
  const found = members(body, 0, [key, 'took']);
  const list = found[key];
  if (list === undefined) throw new SyntaxError(`no ${key} in the answer`);
  const items: Buffer[] = [];
  eachElement(body, list.start, ({ start, end }) => {
    items.push(body.subarray(start, end));
  });
  return { items, tookMs: found.took === undefined ? undefined : Number(parseSlice(body, found.took)) };
};

type Rendering = { readonly tookMs: number | undefined; readonly pretty: boolean };

export const renderMultiAnswer = (
  family: Family,
  items: readonly Uint8Array[],
  { tookMs, pretty }: Rendering,
): Buffer => {
  const took = tookMs === undefined ? '' : `"took":${tookMs},`;
  const open = isLines(family) ? `{${took}"responses":[` : '{"docs":[';
  const comma = Buffer.from(',');
  const body = Buffer.concat([
    Buffer.from(open),
    ...items.flatMap((item, i) => (i === 0 ? [item] : [comma, item])),
    Buffer.from(']}'),
  ]);
  return pretty ? prettyJson(body) : body;
};
