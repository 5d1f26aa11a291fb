/** Answers that hold one item per part of the request, in its order: msearch, mget, mtermvectors. */
import { type Context, report } from './context.ts';
import { child, type Path } from './findings.ts';
import { arrayMember, type Json } from './json-value.ts';

export type Bodies = { authority: Json; other: Json };
/** `at` is the path of the list. */
export type Item = Bodies & { at: Path; position: number };

export const pairItems = (context: Context, name: string, bodies: Bodies): Item[] => {
  const [a, b] = [arrayMember(bodies.authority, name) ?? [], arrayMember(bodies.other, name) ?? []];
  const at = child(undefined, name);
  if (a.length !== b.length)
    report(context, { severity: 'S1', kind: 'missing_item', path: at, authority: a.length, other: b.length });
  return a.slice(0, b.length).map((authority, position) => ({ authority, other: b[position]!, at, position }));
};
