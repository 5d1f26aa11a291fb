/**
 * Redraws a text in place on a terminal: no flicker, no scrolling. What does not fit is cut, because a line that wraps
 * or scrolls would leave remains of the last picture behind. Pure: text and size in, bytes for the terminal out.
 */
export type Size = { columns: number; rows: number };

export const clearScreen = '\u001b[2J';
const home = '\u001b[H';
const clearLine = '\u001b[K';
const clearBelow = '\u001b[J';
const resetStyle = '\u001b[0m';
// Colour sequences take no room on the screen.
const pieces = /\u001b\[\d+m|[\s\S]/gu;

/** At most `columns` visible characters; colours that were on are switched off where the line is cut. */
export const cut = (line: string, columns: number): string => {
  let room = columns;
  const kept: string[] = [];
  for (const [piece] of line.matchAll(pieces)) {
    if (piece.length > 2) kept.push(piece);
    else if (room-- > 0) kept.push(piece);
    else return `${kept.slice(0, -1).join('')}…${resetStyle}`;
  }
  return kept.join('');
};

const fit = (lines: readonly string[], rows: number): readonly string[] =>
  lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines`];

export const redraw = (text: string, { columns, rows }: Size): string => {
  // The last row stays free: a line feed there would scroll.
  const shown = fit(text.split('\n'), Math.max(2, rows - 1)).map((line) => `${cut(line, columns)}${clearLine}`);
  return `${home}${shown.join('\n')}\n${clearBelow}`;
};
