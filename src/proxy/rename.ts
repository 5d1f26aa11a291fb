/**
 * Puts other index names into an answer, so that an application never learns that its index has another name on the side
 * that answered: `_index` of documents, `index` of errors and shard failures, names in brackets or paths inside error reasons, and
 * the shards of a profile.
 * Invariant: what the application stored (`_source`, `fields`, `highlight`, ...) is never looked into, so a document may
 * hold any of these words; bytes outside the places named above are kept as they were.
 */
import { applyEdits, type Edit, eachElement, eachMember, parseSlice, rawOf, type Slice } from '../json/scan.ts';
import { countsDocuments, isUserData } from './user-data.ts';

/** Name in the answer to name that the client is to see. */
export type IndexNames = ReadonlyMap<string, string>;

const OBJECT = 0x7b;
const ARRAY = 0x5b;
const QUOTE = 0x22;
/** Members beside `index` that show the object to be an error, a shard failure or a by-query failure. */
const besideIndex = new Set(['reason', 'shard', 'cause', 'type', 'node']);

const mentionsAny = (body: Buffer, names: IndexNames): boolean => {
  for (const from of names.keys()) if (body.includes(from)) return true;
  return false;
};

/**
 * @param body a JSON answer
 * @returns the same buffer when nothing is to be renamed
 * @throws SyntaxError when the body is not JSON
 */
export const renameIndices = (body: Buffer, names: IndexNames): Buffer => {
  if (names.size === 0 || !mentionsAny(body, names)) return body;
  const edits: Edit[] = [];
  walk(body, 0, { names, edits, parent: undefined });
  return applyEdits(
    body,
    edits.sort((a, b) => a.start - b.start),
  );
};

type Walk = {
  readonly names: IndexNames;
  readonly edits: Edit[];
  /** The nearest key above; elements of a list have the key of the list. */
  readonly parent: string | undefined;
  /** The one above that. */
  readonly grandparent?: string | undefined;
};

const walk = (buf: Buffer, at: number, context: Walk): void => {
  if (buf[at] === OBJECT) walkObject(buf, at, context);
  else if (buf[at] === ARRAY) eachElement(buf, at, ({ start }) => walk(buf, start, context));
};

const walkObject = (buf: Buffer, at: number, context: Walk): void => {
  const strings: Partial<Record<string, Slice>> = {};
  let describesFailure = false;
  let counts = false;
  const { parent, grandparent } = context;
  const isProfiled = parent === 'shards' && grandparent === 'profile';
  eachMember(buf, at, (key, value) => {
    if (besideIndex.has(key)) describesFailure = true;
    if (countsDocuments(key)) counts = true;
    if (buf[value.start] === QUOTE) strings[key] = value;
    else if (!isUserData(key, { parent, counts }))
      walk(buf, value.start, { ...context, parent: key, grandparent: parent });
  });
  const { _index: index, index: failedIndex, 'resource.id': resource, reason, _shard: shard, id } = strings;
  if (index !== undefined) renameString(buf, index, context);
  if (index !== undefined && shard !== undefined) renameInText(buf, shard, context);
  if (id !== undefined && isProfiled) renameInText(buf, id, context);
  if (!describesFailure) return;
  if (failedIndex !== undefined) renameString(buf, failedIndex, context);
  if (resource !== undefined) renameString(buf, resource, context);
  if (reason !== undefined && strings['type'] !== undefined) renameInText(buf, reason, context);
};

const renameString = (buf: Buffer, slice: Slice, { names, edits }: Walk): void => {
  const to = names.get(parseSlice(buf, slice) as string);
  if (to !== undefined) edits.push({ ...slice, text: JSON.stringify(to) });
};

const renameInText = (buf: Buffer, slice: Slice, { names, edits }: Walk): void => {
  const before = rawOf(buf, slice);
  const text = before.replace(/([[/])([^\][/\s]+)(?=[\]/])/g, (found, mark: string, name: string) => {
    const to = names.get(name);
    return to === undefined ? found : `${mark}${to}`;
  });
  if (text !== before) edits.push({ ...slice, text });
};
