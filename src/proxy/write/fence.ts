/**
 * Recognises a write that met the fence: the epoch alias points at the write-blocked fence index, so the storage itself
 * refused it and nothing was applied. Also the alias that is gone altogether, which `require_alias` turns into a 404.
 * Both are read from raw bytes, so that YAML, CBOR and SMILE answers are recognised too. A cluster with users looks at a
 * client's rights before it looks at blocks, and no client has rights for the fence: such a 403 tells neither. Other 403s
 * and 404s are the client's own.
 */
import { fenceIndex } from '../../coordination/keys.ts';

/** Words of the reason, which stand there also where `http.detailed_errors.enabled` is off and types are left out. */
const blocked = 'blocked by';
const missing = 'no such index';

/**
 * `missing_alias` is the fence only if a newer epoch exists; else the index is gone and the 404 is genuine.
 * `denied` is the fence only if the alias points there.
 */
export type Fencing = 'fenced' | 'missing_alias' | 'denied' | 'no';

/**
 * @param text an error answer, or one failed item of a bulk answer
 * @param alias the epoch alias that the write was sent through
 */
export const fencing = (status: number, text: Buffer, alias: string): Fencing => {
  if (status === 403) return mentionsFence(text) ? 'fenced' : text.includes(blocked) ? 'no' : 'denied';
  if (status === 404 && text.includes(missing) && text.includes(`[${alias}]`)) return 'missing_alias';
  return 'no';
};

/** A reindex reports the refusal of its writes as failures inside an answer of any status. */
export const mentionsDenial = (text: Buffer): boolean => /"status"\s*:\s*403\b/.test(text.toString('latin1'));

/** The same for the fence, and for answers that are known to be a 403. */
export const mentionsFence = (text: Buffer): boolean => text.includes(blocked) && text.includes(`[${fenceIndex}]`);
