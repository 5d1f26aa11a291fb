/** A stable, non-cryptographic fingerprint of a text: two FNV-1a lanes of 32 bits over its UTF-16 code units, in hex. */
const prime = 0x01000193;

const hex = (lane: number): string => (lane >>> 0).toString(16).padStart(8, '0');

export const fingerprint = (text: string): string => {
  let [one, two] = [0x811c9dc5, 0x5bd1e995];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    one = Math.imul(one ^ unit, prime);
    two = Math.imul(two ^ unit, prime);
  }
  return hex(one) + hex(two);
};
