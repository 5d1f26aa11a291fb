/**
 * What a client asks its answer to look like, as far as it decides how the post-image can be had: its format, and whether
 * it asks for the updated document itself.
 */
import { eachMember, type Slice } from '../../json/scan.ts';
import { getParam, parseQuery } from '../query.ts';
import type { RequestHead } from '../types.ts';

const otherFormats = /yaml|cbor|smile/i;

/** The server's order: `format`, else Accept, else the type of the request, else JSON. */
export const answersJson = ({ query, headers }: Pick<RequestHead, 'query' | 'headers'>): boolean => {
  const asked = getParam(query, 'format') ?? headers['accept'] ?? '';
  if (otherFormats.test(asked)) return false;
  return /json/i.test(asked) || !otherFormats.test(headers['content-type'] ?? '');
};

const sourceParams = ['_source', '_source_includes', '_source_excludes', '_source_include', '_source_exclude'];

export const asksForSource = (query: string): boolean => {
  const { params } = parseQuery(query);
  return sourceParams.some((name) => params.has(name));
};

export type UpdateFacts = {
  readonly asksSource: boolean;
  readonly hasScript: boolean;
  /** Value of `if_primary_term`: an update takes its conflict token in the body, too. */
  readonly term: Slice | undefined;
};

/** Of the body of an update that opens at `at`; undefined when it cannot be read. */
export const updateFacts = (body: Uint8Array, at: number): UpdateFacts | undefined => {
  let asksSource = false;
  let hasScript = false;
  let term: Slice | undefined;
  try {
    eachMember(body, at, (key, value) => {
      if (key === '_source') asksSource = true;
      if (key === 'script') hasScript = true;
      if (key === 'if_primary_term') term = value;
    });
    return { asksSource, hasScript, term };
  } catch {
    return undefined;
  }
};
