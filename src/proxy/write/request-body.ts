/**
 * Reads a client's body and makes it plain: content encodings are undone within the same bound as the body itself, since
 * what is inside must be looked at. A coding that this process does not know stays, and goes on with its header.
 */
import { CrossfadeError } from '../../errors.ts';
import { type Decoded, decodeBody } from '../../upstream/decode.ts';
import { isSetByTransport, toRecord, withoutHeaders } from '../../upstream/header-pairs.ts';
import type { WriteClient } from './ports.ts';

export type RequestBody = {
  readonly bytes: Buffer;
  /** JSON by its content type, and readable. */
  readonly json: boolean;
  /** Lower-case media type without parameters; empty when there is none. */
  readonly mediaType: string;
  /** To send with these bytes. */
  readonly headers: Record<string, string | string[]>;
};

const jsonTypes = new Set(['application/json', 'application/x-ndjson']);

/** @throws CrossfadeError BODY_TOO_LARGE, BAD_BODY, and what reading the body throws */
export const readRequestBody = async (client: WriteClient, maxBytes: number): Promise<RequestBody> => {
  const raw = await client.readBody({ maxBytes });
  const encoding = client.head.headers['content-encoding'];
  const decoded: Decoded = encoding === undefined ? { ok: true, body: raw } : await decodeBody(raw, encoding, maxBytes);
  if (!decoded.ok && decoded.reason === 'too_large') throw new CrossfadeError('BODY_TOO_LARGE');
  if (!decoded.ok && decoded.reason === 'malformed')
    throw new CrossfadeError('BAD_BODY', 'The body is not what its Content-Encoding says.');
  const mediaType = (client.head.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return {
    bytes: decoded.ok ? decoded.body : raw,
    json: decoded.ok && jsonTypes.has(mediaType),
    mediaType,
    headers: forwardHeaders(client.headers, decoded.ok),
  };
};

/** Answers must come readable, so the transport alone decides about compression. */
const forwardHeaders = (pairs: readonly string[], decoded: boolean): Record<string, string | string[]> =>
  toRecord(
    withoutHeaders(
      pairs,
      (name) => isSetByTransport(name) || name === 'accept-encoding' || (decoded && name === 'content-encoding'),
    ),
  );
