/** A stable, non-cryptographic fingerprint of a text: two FNV-1a lanes of 32 bits over its UTF-16 code units, in hex. */
const prime = 0x01000193;

const lane = (text: string, seed: number): string => {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), prime);
  return (hash >>> 0).toString(16).padStart(8, '0');
};

export const fingerprint = (text: string): string => lane(text, 0x811c9dc5) + lane(text, 0x5bd1e995);
