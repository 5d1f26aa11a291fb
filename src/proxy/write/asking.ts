/**
 * What a client asks of an update, as far as it decides how the post-image can be had and which token is meant: whether it
 * asks for the updated document itself, runs a script, and names a primary term.
 */
import { eachMember, type Slice } from '../../json/scan.ts';
import { parseQuery } from '../query.ts';

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
