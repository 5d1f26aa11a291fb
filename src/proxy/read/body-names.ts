/**
 * Finds what a search body says that decides where it may run: the index names in it (terms lookup, more_like_this,
 * percolate, indexed shapes, ratings, indices_boost, clauses on `_index`), a point in time, and whether the client asks for
 * concurrency tokens or versions. Names are found by the place where the query language allows one, never by their
 * text: a field may well be called `index`.
 * Invariant: a body that uses `_index` in a way that cannot be rewritten is `opaque`, and runs where the names are the
 * client's own while there is a choice; one whose result would be another under other names (a pattern, a script, a query
 * string) is `unsayable` there. Bytes outside the places found here are never touched.
 * A search template stands below `source`: as an object it is a search body, as a text it is one that cannot be rewritten.
 */
import { type Edit, eachElement, eachMember, parseSlice, type Slice, skipSpace, skipValue } from '../../json/scan.ts';

/**
 * `slice`: a JSON string that names one index, or an object key that does. `isLookup`: documents are read from that index,
 * whatever the request searches; else the name is that of hits.
 */
export type NamePlace = {
  readonly slice: Slice;
  readonly name: string;
  readonly isLookup: boolean;
  /** Within a text, so that no other name can be put in its place. */
  readonly isFixed?: boolean;
};
export type BodyFacts = {
  readonly names: readonly NamePlace[];
  readonly pit: { readonly slice: Slice; readonly id: string } | undefined;
  /**
   * `seq_no_primary_term` stands somewhere in it, be it for hits, inner hits or top hits; or it selects, sorts, counts or
   * shows by the fields of these numbers.
   */
  readonly asksTokens: boolean;
  /** The same of versions. */
  readonly asksVersion: boolean;
  readonly opaque: boolean;
  readonly unsayable: boolean;
};

export const noBodyFacts: BodyFacts = {
  names: [],
  pit: undefined,
  asksTokens: false,
  asksVersion: false,
  opaque: false,
  unsayable: false,
};

type Visit = (path: readonly string[], value: Slice, key: Slice | undefined) => void;
const OBJECT = 0x7b;
const ARRAY = 0x5b;
const QUOTE = 0x22;
const element = '[]';

/** Visits every member and element below `value`, parents first; `path` holds keys, and `[]` for an element. */
const walk = (buf: Uint8Array, value: Slice, path: readonly string[], visit: Visit): void => {
  if (buf[value.start] === OBJECT) {
    eachMember(buf, value.start, (key, member, keySlice) => {
      const below = [...path, key];
      visit(below, member, keySlice);
      if (!isUserData(below) && !(key === 'params' && isScript(buf, value))) walk(buf, member, below, visit);
    });
  } else if (buf[value.start] === ARRAY) {
    const below = [...path, element];
    eachElement(buf, value.start, (item) => {
      visit(below, item, undefined);
      walk(buf, item, below, visit);
    });
  }
};

/** The last steps of a path with elements left out, nearest first. */
const tail = (path: readonly string[]): readonly string[] => path.filter((step) => step !== element).reverse();

/** Objects whose keys are the application's own: a document to percolate or to compare with. */
const isUserData = (path: readonly string[]): boolean => {
  const [own, parent] = tail(path);
  const isPercolated = (own === 'document' || own === 'documents') && parent === 'percolate';
  return isPercolated || (own === 'doc' && likeKeys.includes(parent));
};

/** A script, or a search template: `params` beside these are the application's own too. */
const scriptKeys: readonly string[] = ['source', 'id', 'lang', 'inline', 'stored', 'file'];
const isScript = (buf: Uint8Array, { start }: Slice): boolean => {
  let found = false;
  eachMember(buf, start, (key) => {
    found ||= scriptKeys.includes(key);
    return !found;
  });
  return found;
};

const likeKeys: readonly (string | undefined)[] = ['like', 'unlike'];
const exactClauses: readonly (string | undefined)[] = ['term', 'terms', 'match'];

/** `_index` as the field of an exact clause: `{term: {_index: x}}`, `{terms: {_index: [x]}}`, `{term: {_index: {value: x}}}`. */
const isExactOnIndex = ([own, parent, grandparent]: readonly string[]): boolean =>
  (own === '_index' && exactClauses.includes(parent)) ||
  ((own === 'value' || own === 'query') && parent === '_index' && exactClauses.includes(grandparent));

const isLookup = ([own, parent, grandparent]: readonly string[]): boolean =>
  (own === 'index' && (parent === 'percolate' || parent === 'indexed_shape' || grandparent === 'terms')) ||
  (own === '_index' && likeKeys.includes(parent));

const isOfHits = (steps: readonly string[]): boolean =>
  isExactOnIndex(steps) || (steps[0] === '_index' && steps[1] === 'ratings');

const isBoost = (path: readonly string[]): boolean =>
  path[0] === 'indices_boost' &&
  (path.length === 2 || (path.length === 3 && path[1] === element)) &&
  path.at(-1) !== element;

/** As a word of its own: `s_index` and `_indexed` are words of the application. */
const indexWord = /(?<!\w)_index(?!\w)/;
export const speaksOfIndex = (text: string): boolean => indexWord.test(text);

/** Numbers that each side gives to its own writes, as fields. */
const tokenWord = /(?<!\w)_(?:seq_no|primary_term)(?!\w)/;
const versionWord = /(?<!\w)_version(?!\w)/;
export const speaksOfTokens = (text: string): boolean => tokenWord.test(text);
export const speaksOfVersions = (text: string): boolean => versionWord.test(text);

/** Shows or orders by the name, and selects nothing by it. */
const showsIndex = (text: string, [own, parent]: readonly string[]): boolean =>
  text === '_index' || (own === '_index' && parent === 'sort');

const mentions = (buf: Buffer, text: string): boolean => buf.includes(text);
const asBuffer = (body: Uint8Array): Buffer => Buffer.from(body.buffer, body.byteOffset, body.byteLength);

/** The server's parser skips a byte order mark. */
const byteOrderMark = Buffer.from('\ufeff');
const markLength = (buf: Buffer): number =>
  buf.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? byteOrderMark.length : 0;

/**
 * @throws SyntaxError when the body is no JSON object, or begins with a comment: what such a one says is not known, and the
 * caller leaves the verdict to the cluster
 */
export const inspectBody = (body: Uint8Array): BodyFacts => {
  const buf = asBuffer(body);
  const start = skipSpace(buf, markLength(buf));
  if (start === buf.length) return noBodyFacts;
  if (buf[start] !== OBJECT) throw new SyntaxError('a body that does not begin with an object');
  const root = { start, end: skipValue(buf, start) };
  const flags = numbersIn(buf, root);
  const worthWalking = ['"index"', '_index', 'indices_boost', '"pit"', 'index\\"'].some((text) => mentions(buf, text));
  return worthWalking ? { ...flags, ...placesIn(buf, root) } : { ...noBodyFacts, ...flags };
};

/** Words are looked for before the text is made of the bytes, which is seldom needed. */
const numbersIn = (buf: Buffer, root: Slice): Pick<BodyFacts, 'asksTokens' | 'asksVersion'> => {
  const speaks = (words: readonly string[], test: (text: string) => boolean): boolean =>
    words.some((word) => mentions(buf, word)) && test(buf.toString('latin1'));
  return {
    asksTokens: mentions(buf, 'seq_no_primary_term') || speaks(['_seq_no', '_primary_term'], speaksOfTokens),
    asksVersion: speaks(['_version'], speaksOfVersions) || (mentions(buf, '"version"') && showsVersions(buf, root)),
  };
};

/** Of hits, inner hits or top hits; anywhere else it is a word of the application. */
const showsVersions = (buf: Buffer, root: Slice): boolean => {
  let found = false;
  walk(buf, root, [], (path, value) => {
    const [own, parent] = tail(path);
    if (own !== 'version' || !(path.length === 1 || parent === 'inner_hits' || parent === 'top_hits')) return;
    found ||= String(parseSlice(buf, value)) === 'true';
  });
  return found;
};

const placesIn = (buf: Buffer, root: Slice): Pick<BodyFacts, 'names' | 'pit' | 'opaque' | 'unsayable'> => {
  const names: NamePlace[] = [];
  let pit: BodyFacts['pit'];
  let opaque = false;
  let unsayable = false;
  const use = (text: string, steps: readonly string[]): void => {
    opaque = true;
    unsayable ||= !showsIndex(text, steps);
  };
  walk(buf, root, [], (fullPath, value, key) => {
    const path = fullPath[0] === 'source' ? fullPath.slice(1) : fullPath;
    if (path.length === 0 && buf[value.start] === QUOTE) {
      const inText = placesInText(parseSlice(buf, value) as string, value);
      names.push(...inText.names);
      opaque ||= inText.opaque;
      unsayable ||= inText.unsayable;
      return;
    }
    if (isBoost(path) && key !== undefined)
      return void names.push({ slice: key, name: path.at(-1) as string, isLookup: false });
    const steps = tail(path);
    if (steps[0] === '_index' && !isOfHits(steps) && !isLookup(steps)) use('', steps);
    if (buf[value.start] !== QUOTE) return;
    const text = parseSlice(buf, value) as string;
    if (isOfHits(steps) || isLookup(steps)) names.push({ slice: value, name: text, isLookup: isLookup(steps) });
    else if (steps.length === 2 && steps[0] === 'id' && steps[1] === 'pit') pit = { slice: value, id: text };
    else if (speaksOfIndex(text)) use(text, steps);
  });
  return { names, pit, opaque, unsayable };
};

type TextPlaces = Pick<BodyFacts, 'names' | 'opaque' | 'unsayable'>;

/** A template that is JSON says which names it has; one with sections of Mustache around them says only that it has some. */
const placesInText = (text: string, slice: Slice): TextPlaces => {
  const facts = factsOfText(text);
  if (facts === undefined) {
    const mayName = /"(?:index|indices_boost)"/.test(text) || speaksOfIndex(text);
    return { names: [], opaque: mayName, unsayable: mayName };
  }
  const names = facts.names.map((place) => ({ ...place, slice, isFixed: true }));
  return { names, opaque: facts.opaque || names.length > 0, unsayable: facts.unsayable || names.length > 0 };
};

const factsOfText = (text: string): BodyFacts | undefined => {
  try {
    return inspectBody(Buffer.from(text));
  } catch {
    return undefined;
  }
};

/** Edits that put other names in; the edits of one body may be merged with others and must be sorted by the caller. */
export const renameEdits = (facts: Pick<BodyFacts, 'names'>, rename: (place: NamePlace) => string): Edit[] =>
  facts.names.flatMap((place) => {
    const other = place.isFixed === true ? place.name : rename(place);
    return other === place.name ? [] : [{ ...place.slice, text: JSON.stringify(other) }];
  });
