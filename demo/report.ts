/**
 * What the demo prints: one live line of progress, claims that were checked, tables. A claim that does not hold makes
 * the demo end with exit code 1; nothing is printed as true that was not looked at.
 */
import type { LoadWindow } from './load.ts';

const tty = process.stdout.isTTY === true;
let lineOpen = false;
let broken = 0;
let checked = 0;
let silent = false;

/** From here on nothing is printed: what is stopped half way says nothing about the product. */
export const fallSilent = (): void => {
  closeLine();
  silent = true;
};

const closeLine = (): void => {
  if (lineOpen) process.stdout.write('\n');
  lineOpen = false;
};

export const say = (text: string): void => {
  if (silent) return;
  closeLine();
  process.stdout.write(`${text}\n`);
};

export const heading = (text: string): void => say(`\n== ${text}`);

export const claim = (text: string, holds: boolean, seen?: string): void => {
  checked++;
  if (!holds) broken++;
  say(`   ${holds ? 'ok  ' : 'FAIL'} ${text}${seen === undefined ? '' : ` (${seen})`}`);
};

export const claims = (): { checked: number; broken: number } => ({ checked, broken });

export type Progress = LoadWindow & {
  pending: number;
  mismatched: number;
  compared: number;
  readPercent: number;
  phase: string;
};

export const progressLine = (now: Progress): void => {
  if (silent) return;
  const text = [
    `   ${now.phase.padEnd(7)}`,
    `${now.requestsPerSecond.toFixed(0).padStart(4)} req/s`,
    `p50 ${now.p50Ms.toFixed(1)} ms`,
    `p99 ${now.p99Ms.toFixed(1)} ms`,
    `pending ${now.pending}`,
    `compared ${now.compared}`,
    `mismatched ${now.mismatched}`,
    `reads on target ${now.readPercent} %`,
    `failures ${now.failures}`,
  ].join('  ');
  if (tty) process.stdout.write(`\r${text.padEnd(130)}`);
  else process.stdout.write(`${text}\n`);
  lineOpen = tty;
};

export const table = (rows: readonly (readonly string[])[]): void => {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length))) ?? [];
  for (const row of rows) say(`   ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`);
};
