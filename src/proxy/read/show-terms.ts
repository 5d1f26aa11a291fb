/**
 * Puts the reign into every primary term of the authority's answer before a client sees it, so that a token from one
 * reign can never match a revision of another by chance. Documents are not looked into: a field of that name is theirs.
 */
import { applyEdits, type Edit, eachElement, eachMember, rawOf, skipSpace } from '../../json/scan.ts';

const OBJECT = 0x7b;
const ARRAY = 0x5b;
const documentParts = new Set(['_source', 'fields', 'highlight', 'sort', '_ignored', 'ignored_field_values', 'doc']);
const termKey = '_primary_term';

type Show = (term: string) => string;

/** @throws SyntaxError when the body is not JSON */
export const showTerms = (body: Buffer, show: Show): Buffer => {
  if (!body.includes(termKey)) return body;
  const edits: Edit[] = [];
  walk(body, skipSpace(body, 0), show, edits);
  return applyEdits(body, edits);
};

const walk = (buf: Buffer, at: number, show: Show, edits: Edit[]): void => {
  if (buf[at] === ARRAY) eachElement(buf, at, ({ start }) => walk(buf, start, show, edits));
  if (buf[at] !== OBJECT) return;
  eachMember(buf, at, (key, value) => {
    if (documentParts.has(key)) return;
    if (key !== termKey) return walk(buf, value.start, show, edits);
    const raw = rawOf(buf, value);
    if (/^\d+$/.test(raw)) edits.push({ ...value, text: show(raw) });
  });
};
