/**
 * Ids of cursors in the body of a request. In YAML, CBOR and SMILE they cannot be replaced, so one that names its side is
 * refused there; one of the source's own needs no replacement.
 */
import { CrossfadeError } from '../../errors.ts';
import type { ClientRequest } from '../client-request.ts';
import { type RequestBody, readRequestBody } from '../write/request-body.ts';
import { type BodyIds, idsInBody } from './cursor-ids.ts';
import { cursorPrefix } from './cursor-token.ts';
import type { Shared } from './shared.ts';

export const bodyIdsOf = async (
  shared: Pick<Shared, 'deps'>,
  request: ClientRequest,
  name: string,
): Promise<{ bytes: Buffer; ids: BodyIds | undefined }> => {
  const plain = await readRequestBody(request, shared.deps.limits.maxBodyBytes);
  refuseHiddenCursor(plain);
  const { bytes, json } = plain;
  try {
    return { bytes, ids: json ? idsInBody(bytes, name) : undefined };
  } catch {
    // The cluster says what is wrong with it.
    return { bytes, ids: undefined };
  }
};

/** @throws CrossfadeError UNSUPPORTED */
export const refuseHiddenCursor = ({ bytes, json }: Pick<RequestBody, 'bytes' | 'json'>): void => {
  if (!json && bytes.includes(cursorPrefix))
    throw new CrossfadeError('UNSUPPORTED', 'A cursor of this fleet must stand in a body in JSON.');
};
