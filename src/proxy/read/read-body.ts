/**
 * The body of a read, received whole, and what stands in it that matters for where it may go. Some clients put the body into
 * the parameter `source` instead; there, names cannot be rewritten.
 */
import type { ClientRequest } from '../client-request.ts';
import { getParam } from '../query.ts';
import { type RequestBody, readRequestBody } from '../write/request-body.ts';
import { type BodyFacts, inspectBody, noBodyFacts } from './body-names.ts';

/** `facts` is undefined when the body was not understood: the read may then run only where it needs no change. */
export type ReadBody = { readonly plain: RequestBody; readonly facts: BodyFacts | undefined };

export const readBody = async (request: ClientRequest, maxBytes: number): Promise<ReadBody> => {
  const plain = await readRequestBody(request, maxBytes);
  return { plain, facts: factsOf(plain, getParam(request.head.query, 'source')) };
};

const factsOf = ({ bytes, json }: RequestBody, source: string | undefined): BodyFacts | undefined => {
  const text = bytes.length > 0 || source === undefined ? bytes : Buffer.from(source);
  if (text.length === 0) return noBodyFacts;
  if (!json && text === bytes) return undefined;
  try {
    const facts = inspectBody(text);
    // Names in the `source` parameter cannot be rewritten in place.
    return text === bytes || facts.names.length === 0 ? facts : undefined;
  } catch {
    return undefined;
  }
};
