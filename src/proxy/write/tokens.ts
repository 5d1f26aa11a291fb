/**
 * Puts the reign into the primary terms that clients see. Sequence numbers and terms belong to one cluster, and after a
 * switch of authority a pair from the old side could match another revision on the new one by chance. The client's term
 * is `term + (reign - 1) * 2^32`: nothing changes before the first switch, terms stay exact JavaScript numbers, and a
 * token of another reign is recognised. Invariant I14: such a token is answered by the server's own conflict, because it
 * is forwarded as a term that no shard can have.
 */
const span = 2n ** 32n;
const maxLong = 2n ** 63n - 1n;
/** Below 2^53 for the sake of whatever parses it, above any term a client can have been given. */
export const impossibleTerm = (2n ** 52n).toString();

/** @param term decimal text as it stands in the answer */
export const clientTerm = (term: string, reign: number): string =>
  reign === 1 ? term : (BigInt(term) + BigInt(reign - 1) * span).toString();

/**
 * What to send as `if_primary_term` for what the client gave. Text that the server will refuse (not a positive long) is
 * returned as it is, so that the client gets the server's own message.
 */
export const authorityTerm = (given: string, reign: number): string => {
  const value = longOf(given);
  if (value === undefined || value <= 0n || value > maxLong) return given;
  const ofReign = value / span + 1n;
  const term = value % span;
  return ofReign === BigInt(reign) && term > 0n ? term.toString() : impossibleTerm;
};

/** Java's parsers take a sign, and in bodies also whole numbers in floating-point notation. */
const longOf = (text: string): bigint | undefined => {
  const trimmed = text.trim();
  if (/^[+-]?\d+$/.test(trimmed)) return BigInt(trimmed.replace('+', ''));
  const number = trimmed === '' ? Number.NaN : Number(trimmed);
  return Number.isInteger(number) ? BigInt(number) : undefined;
};
