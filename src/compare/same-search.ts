/**
 * The cheapest verdict on two searches: the same bytes but for `took`, of an answer whose head says that it is complete.
 * Nothing is parsed, so even large answers take no time from clients. Whatever could make the full comparison say something
 * else of equal bytes (a partial or terminated answer, one of these members given twice, a name spelled with escapes, an
 * answer written in another way) is left to it. It does not ask whether the bytes are JSON: equal bytes are equal.
 */
import { asBuffer, isSameButTook } from './same-bytes.ts';

/** As the server writes it; `terminated_early` and `_clusters` would stand in between. */
const completeHead =
  /^\{"took":\d+,"timed_out":false,(?:"num_reduce_phases":\d+,)?"_shards":\{"total":(\d+),"successful":(\d+),"skipped":\d+,"failed":0\},"hits":\{/;
const longestHead = 256;

/** Given again below, the last one would count; an escape may spell any of them. A text that merely says so costs time only. */
const saidAgain = /"(?:timed_out|_shards|terminated_early)"|\\u/;

const isSurelyComplete = (body: Buffer): boolean => {
  const head = completeHead.exec(body.toString('latin1', 0, longestHead));
  if (head === null || head[1] !== head[2]) return false;
  return !saidAgain.test(body.toString('latin1', head[0].length));
};

export const areSurelySameSearch = (authority: Uint8Array, other: Uint8Array): boolean =>
  isSameButTook(authority, other) && isSurelyComplete(asBuffer(authority));
