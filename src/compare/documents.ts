/** Compares reads by id: get, mget, explain. A document absent on one side is a missing hit (S4), whatever the status. */
import { type Context, report } from './context.ts';
import { child, type Path } from './findings.ts';
import { errorType } from './gate.ts';
import { compareHit } from './hit.ts';
import { type Bodies, pairItems } from './items.ts';
import { isObject, type Json, type JsonObject, member, objectMember, stringMember } from './json-value.ts';
import { diffTree } from './tree-diff.ts';

/** With `filter_path` an answer may show what a document holds without saying that it was found. */
const isFound = (doc: Json): boolean =>
  (member(doc, 'found') ?? (member(doc, '_source') !== undefined || member(doc, 'fields') !== undefined)) === true;

const plainHit = { sort: [], scoreTolerance: 1 };

const reportAbsence = (context: Context, path: Path | undefined, isMissing: boolean, doc: Json): void =>
  report(context, {
    severity: 'S4',
    kind: isMissing ? 'missing_document' : 'extra_document',
    path,
    [isMissing ? 'authority' : 'other']: doc,
  });

/** Two answers to a get, or two items of an mget. */
export const compareDocument = (context: Context, path: Path | undefined, { authority, other }: Bodies): void => {
  const [a, b] = [isFound(authority), isFound(other)];
  if (a !== b) reportAbsence(context, path, a, a ? authority : other);
  else if (a && isObject(authority) && isObject(other))
    compareHit(context, path, { authority: withoutFound(authority), other: withoutFound(other), rules: plainHit });
};

const withoutFound = ({ found: _, ...doc }: JsonObject): JsonObject => doc;

/** HEAD: there are no bodies, the status says whether the document is there. */
export const comparePresence = (context: Context, statuses: { authority: number; other: number }): void => {
  if (statuses.authority !== statuses.other) reportAbsence(context, undefined, statuses.other === 404, null);
};

/** `GET index/_source/id`: the body is the document; a 404 has none. */
export const compareSource = (
  context: Context,
  statuses: { authority: number; other: number },
  { authority, other }: Bodies,
): void => {
  const isMissing = statuses.other === 404;
  if (statuses.authority !== statuses.other)
    reportAbsence(context, child(undefined, '_source'), isMissing, isMissing ? authority : other);
  else if (statuses.authority === 200)
    diffTree(context, child(undefined, '_source'), authority, other, { severity: 'S7' });
};

const compareItem = (context: Context, path: Path, bodies: Bodies): void => {
  const [a, b] = [errorType(bodies.authority), errorType(bodies.other)];
  if (a === undefined && b === undefined) compareDocument(context, path, bodies);
  else if (a === undefined) report(context, { severity: 'S1', kind: 'status', path, authority: 'ok', other: b });
  else if (b !== undefined && a !== b)
    report(context, { severity: 'S9', kind: 'error_type', path, authority: a, other: b });
};

/** Items stand in the order of the request. */
export const compareDocuments = (context: Context, bodies: Bodies): void => {
  for (const { at, position, ...item } of pairItems(context, 'docs', bodies)) {
    const key = stringMember(item.authority, '_id') ?? String(position);
    compareItem(context, child(at, { key }), item);
  }
};

/** Whether the document matches; why, and how much, is local to a shard. */
export const compareExplain = (context: Context, { authority, other }: Bodies): void => {
  const [a, b] = [member(authority, 'matched') ?? null, member(other, 'matched') ?? null];
  if (a !== b)
    report(context, {
      severity: 'S4',
      kind: 'matched',
      path: child(undefined, 'matched'),
      authority: a,
      other: b,
    });
  const [getA, getB] = [objectMember(authority, 'get'), objectMember(other, 'get')];
  if (getA && getB) compareDocument(context, child(undefined, 'get'), { authority: getA, other: getB });
};
