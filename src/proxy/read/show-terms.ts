/**
 * Puts the reign into every primary term of the authority's answer before a client sees it, so that a token from one
 * reign can never match a revision of another by chance. Documents are not looked into: a field of that name is theirs.
 * Hits of one answer may be of several routes, so each term is shown together with the index of its hit.
 */
import {
  applyEdits,
  type Edit,
  eachElement,
  eachMember,
  parseSlice,
  rawOf,
  type Slice,
  skipSpace,
} from '../../json/scan.ts';
import { countsDocuments, isUserData } from '../user-data.ts';

const OBJECT = 0x7b;
const ARRAY = 0x5b;
const QUOTE = 0x22;
const termKey = '_primary_term';
const indexKey = '_index';

/** `index` as the answer names it: of the hit itself or of the one around it. */
export type ShowTerm = (term: string, index: string | undefined) => string;

type Walk = {
  readonly show: ShowTerm;
  readonly edits: Edit[];
  readonly parent: string | undefined;
  readonly index: string | undefined;
};

/** @throws SyntaxError when the body is not JSON */
export const showTerms = (body: Buffer, show: ShowTerm): Buffer => {
  if (!body.includes(termKey)) return body;
  const edits: Edit[] = [];
  walk(body, skipSpace(body, 0), { show, edits, parent: undefined, index: undefined });
  return applyEdits(
    body,
    edits.sort((a, b) => a.start - b.start),
  );
};

const walk = (buf: Buffer, at: number, context: Walk): void => {
  if (buf[at] === ARRAY) eachElement(buf, at, ({ start }) => walk(buf, start, context));
  if (buf[at] === OBJECT) walkObject(buf, at, context);
};

const walkObject = (buf: Buffer, at: number, context: Walk): void => {
  const { show, edits, parent } = context;
  const terms: Slice[] = [];
  let { index } = context;
  let counts = false;
  eachMember(buf, at, (key, value) => {
    if (countsDocuments(key)) counts = true;
    if (isUserData(key, { parent, counts })) return;
    if (key === termKey) return void terms.push(value);
    if (key === indexKey && buf[value.start] === QUOTE) index = parseSlice(buf, value) as string;
    else walk(buf, value.start, { ...context, parent: key, index });
  });
  for (const slice of terms) {
    const raw = rawOf(buf, slice);
    if (/^\d+$/.test(raw)) edits.push({ ...slice, text: show(raw, index) });
  }
};
