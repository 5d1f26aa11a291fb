/** Bulk bodies for tests: strings are raw lines, anything else becomes JSON. */
export const ndjson = (lines: readonly unknown[]): string =>
  lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
