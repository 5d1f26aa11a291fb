/**
 * Puts the client's index names into answers that are about indices and hold no documents: keys of the outermost object
 * and below `indices`, and the values of members that name an index. Names are matched whole; a setting or a mapping that
 * merely contains one keeps its bytes.
 */
import { applyEdits, type Edit, eachElement, eachMember, parseSlice, type Slice, skipSpace } from '../../json/scan.ts';
import type { IndexNames } from '../rename.ts';

const OBJECT = 0x7b;
const ARRAY = 0x5b;
const QUOTE = 0x22;
/** Members whose strings (single or listed) are index names. */
const nameMembers = new Set(['index', 'indices', 'provided_name', 'old_index', 'new_index', 'name', 'resource.id']);
/** Below these the keys belong to the application's own schema. */
const schemaMembers = new Set(['mappings', 'mapping', 'properties', 'aliases', 'analysis']);

type Walk = { readonly buf: Buffer; readonly names: IndexNames; readonly edits: Edit[] };

/** @throws SyntaxError when the body is not JSON */
export const renameInfo = (body: Buffer, names: IndexNames): Buffer => {
  if (names.size === 0) return body;
  const walk: Walk = { buf: body, names, edits: [] };
  walkValue(walk, { start: skipSpace(body, 0), end: body.length }, undefined);
  return applyEdits(
    body,
    walk.edits.sort((a, b) => a.start - b.start),
  );
};

/** `key` is the member that holds the value; undefined for the outermost one. */
const walkValue = (walk: Walk, value: Slice, key: string | undefined): void => {
  const first = walk.buf[value.start];
  if (first === OBJECT) walkObject(walk, value, key);
  else if (first === ARRAY) eachElement(walk.buf, value.start, (item) => walkValue(walk, item, key));
  else if (first === QUOTE && key !== undefined && nameMembers.has(key)) renameSlice(walk, value);
};

const walkObject = (walk: Walk, value: Slice, parent: string | undefined): void => {
  const keysAreIndices = parent === undefined || parent === 'indices';
  eachMember(walk.buf, value.start, (key, member, keySlice) => {
    if (keysAreIndices) renameSlice(walk, keySlice);
    if (!schemaMembers.has(key)) walkValue(walk, member, key);
  });
};

const renameSlice = ({ buf, names, edits }: Walk, slice: Slice): void => {
  const to = names.get(parseSlice(buf, slice) as string);
  if (to !== undefined) edits.push({ ...slice, text: JSON.stringify(to) });
};
