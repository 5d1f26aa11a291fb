/** Lays out rows for a terminal: columns as wide as their widest cell, two blanks between, nothing behind the last. */

// Colour sequences take no room on the screen.
// The escape character is what is looked for.
const colour = /\u001b\[\d+m/g;
const width = (text: string): number => [...text.replace(colour, '')].length;
const pad = (text: string, size: number): string => text + ' '.repeat(Math.max(0, size - width(text)));

export const alignRows = (rows: readonly (readonly string[])[]): string[] => {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const sizes = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => width(row[i] ?? ''))));
  return rows.map((row) =>
    row
      .map((cell, i) => pad(cell, sizes[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
};

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  alignRows([head, ...rows]).join('\n');
