/**
 * What is known of a request before it is asked again: its shape, and why it cannot be compared. Applications repeat
 * themselves, so what was found of the latest requests is kept, by their words. Bounded in number and in length.
 */
import { LRUCache } from 'lru-cache';
import { queryShape } from '../../compare/shape.ts';
import { skipReason } from '../../compare/skip.ts';
import type { ComparableApi, ComparedRequest, QueryShape, SkipReason } from '../../compare/types.ts';

export type RequestFacts = { readonly skip: SkipReason | undefined; readonly shape: QueryShape };

export const longestKept = 4096;

const wordsOf = (api: ComparableApi, { path, query, body }: ComparedRequest): string | undefined => {
  const bytes = body?.length ?? 0;
  if (bytes + path.length + query.length > longestKept) return undefined;
  // A space stands in no path and in no query. Latin-1 gives each byte a character of its own.
  const text = body === undefined ? '-' : `+${Buffer.from(body.buffer, body.byteOffset, bytes).toString('latin1')}`;
  return `${api} ${path} ${query} ${text}`;
};

const factsOf = (api: ComparableApi, request: ComparedRequest): RequestFacts => ({
  skip: skipReason(api, request),
  shape: queryShape(api, request),
});

export class KnownRequests {
  readonly #known: LRUCache<string, RequestFacts>;

  constructor(max = 500) {
    this.#known = new LRUCache({ max });
  }

  factsOf(api: ComparableApi, request: ComparedRequest): RequestFacts {
    const words = wordsOf(api, request);
    const known = words === undefined ? undefined : this.#known.get(words);
    if (known !== undefined) return known;
    const facts = factsOf(api, request);
    if (words !== undefined) this.#known.set(words, facts);
    return facts;
  }
}
