/**
 * Refusals that a write explains which one side has not seen yet: a field gets its mapping from the first document that has
 * it, and a query may refer to a document. Any other refusal (rights, a missing index, a query that is not understood) is
 * no matter of time.
 */
import { parseBody } from './json-value.ts';
import { someMember } from './request.ts';
import type { Answer } from './types.ts';

/** As the storage words them: sorts and collapses by a field, stored documents to percolate, stored shapes. */
const awaiting = /^(?:no mapping found for |indexed document .* couldn't be found|shape with id )/i;

export const waitsForWrite = ({ body }: Answer): boolean =>
  someMember(parseBody(body), (name, value) => name === 'reason' && typeof value === 'string' && awaiting.test(value));
