/** Finds the name somebody probably meant, so that a mistyped field or command is answered with a suggestion. */

const distance = (a: string, b: string): number => {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(swap, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
};

/** The nearest candidate (Levenshtein), unless more than a third of the word would have to change. */
export const closest = (word: string, candidates: readonly string[]): string | undefined => {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const ranked = candidates
    .map((name) => ({ name, cost: distance(word.toLowerCase(), name.toLowerCase()) }))
    .filter(({ cost }) => cost <= limit)
    .sort((a, b) => a.cost - b.cost);
  return ranked[0]?.name;
};

/** The end of a sentence about a wrong word: the candidate that was probably meant, or all of them. */
export const meant = (word: string, candidates: readonly string[]): string => {
  const near = closest(word, candidates);
  return near === undefined ? `there are ${candidates.join(', ')}` : `did you mean ${near}?`;
};
