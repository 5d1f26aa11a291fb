/**
 * Puts the reign into every primary term of the authority's answer before a client sees it, so that a token from one
 * reign can never match a revision of another by chance. Documents are not looked into: a field of that name is theirs.
 */
import { applyEdits, type Edit, eachElement, eachMember, rawOf, skipSpace } from '../../json/scan.ts';
import { countsDocuments, isUserData } from '../user-data.ts';

const OBJECT = 0x7b;
const ARRAY = 0x5b;
const termKey = '_primary_term';

type Walk = { readonly show: (term: string) => string; readonly edits: Edit[]; readonly parent: string | undefined };

/** @throws SyntaxError when the body is not JSON */
export const showTerms = (body: Buffer, show: (term: string) => string): Buffer => {
  if (!body.includes(termKey)) return body;
  const edits: Edit[] = [];
  walk(body, skipSpace(body, 0), { show, edits, parent: undefined });
  return applyEdits(body, edits);
};

const walk = (buf: Buffer, at: number, context: Walk): void => {
  if (buf[at] === ARRAY) eachElement(buf, at, ({ start }) => walk(buf, start, context));
  if (buf[at] === OBJECT) walkObject(buf, at, context);
};

const walkObject = (buf: Buffer, at: number, context: Walk): void => {
  const { show, edits, parent } = context;
  let counts = false;
  eachMember(buf, at, (key, value) => {
    if (countsDocuments(key)) counts = true;
    if (isUserData(key, { parent, counts })) return;
    if (key !== termKey) return walk(buf, value.start, { ...context, parent: key });
    const raw = rawOf(buf, value);
    if (/^\d+$/.test(raw)) edits.push({ ...value, text: show(raw) });
  });
};
