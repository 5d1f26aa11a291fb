/** What a client asked of the form of an answer, as far as it is done here because the answer had to be looked at. */
import { getFlag, getParam } from '../query.ts';
import { type FilterPath, parseFilterPath } from './filter-path.ts';

export type Form = { readonly filter: FilterPath | undefined; readonly pretty: boolean };

export const asItCame: Form = { filter: undefined, pretty: false };

export const asksPretty = (query: string): boolean => getFlag(query, 'pretty') === true;

export const formOf = (query: string): Form => ({
  filter: parseFilterPath(getParam(query, 'filter_path')),
  pretty: asksPretty(query),
});
