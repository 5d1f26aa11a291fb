/**
 * Sticky, monotone buckets: which share of keys a percentage covers. Every member computes the same bucket for the same
 * salt and key, so they agree without talking, and raising a percentage only ever adds keys.
 * FNV-1a over the UTF-8 bytes, finished with MurmurHash3's 32-bit mixer so that near-equal keys spread evenly.
 */
export const bucketCount = 100_000;

const mix = (hash: number): number => {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/** In [0, bucketCount). The zero byte keeps ("ab", "c") and ("a", "bc") apart. */
export const bucketOf = (salt: string, key: string): number => {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${salt}\0${key}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  return mix(hash >>> 0) % bucketCount;
};

/** Percentages are exact to 0.001, so the comparison is made in whole thousandths. */
export const isInShare = (bucket: number, percent: number): boolean => bucket < Math.round(percent * 1000);
