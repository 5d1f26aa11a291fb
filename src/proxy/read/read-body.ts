/**
 * The body of a read, received whole, and what stands in it that matters for where it may go. Some clients put the body into
 * the parameter `source` instead; there, names cannot be rewritten.
 */
import type { ClientRequest } from '../client-request.ts';
import { getParam } from '../query.ts';
import { type RequestBody, readRequestBody } from '../write/request-body.ts';
import { type BodyFacts, inspectBody } from './body-names.ts';

/** `facts` is undefined when the body was not understood: the read may then run only where it needs no change. */
export type ReadBody = {
  readonly plain: RequestBody;
  readonly facts: BodyFacts | undefined;
  /** What was not understood, or cannot be rewritten, may name an index. */
  readonly hidesNames: boolean;
  readonly asksTokens: boolean;
};

export const readBody = async (request: ClientRequest, maxBytes: number): Promise<ReadBody> => {
  const plain = await readRequestBody(request, maxBytes);
  const { bytes } = plain;
  const source = bytes.length > 0 ? undefined : getParam(request.head.query, 'source');
  const text = source === undefined ? bytes : Buffer.from(source);
  const isJson = source === undefined ? plain.json : isSourceJson(request.head.query);
  const facts = isJson || text.length === 0 ? factsOf(text) : undefined;
  // Names in the `source` parameter cannot be rewritten in place.
  const isFixed = source !== undefined && facts !== undefined && facts.names.length > 0;
  return {
    plain,
    facts: isFixed ? undefined : facts,
    hidesNames: isFixed || (facts === undefined && mayName(text)),
    asksTokens: facts?.asksTokens ?? text.includes('seq_no_primary_term'),
  };
};

const isSourceJson = (query: string): boolean => !/yaml|cbor|smile/i.test(getParam(query, 'source_content_type') ?? '');

const factsOf = (text: Buffer): BodyFacts | undefined => {
  try {
    return inspectBody(text);
  } catch {
    return undefined;
  }
};

/** In YAML, CBOR and SMILE keys stand without quotes, and in CBOR right behind other bytes. */
export const mayName = (text: Buffer): boolean => text.includes('index') || text.includes('indices_boost');
