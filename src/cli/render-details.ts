/**
 * The details of an answer as text: what the leader puts into them differs by request, so they are shown by their form.
 * Pure. Single values are one line each, lists of records a table, cut to what a terminal shows.
 */
import { alignRows, table } from './table.ts';

const maxRows = 20;

type Row = Record<string, unknown>;
const isRecord = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);
const isRows = (value: unknown): value is Row[] => Array.isArray(value) && value.length > 0 && value.every(isRecord);

const cell = (value: unknown): string =>
  value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);

const rowsText = (name: string, rows: readonly Row[]): string => {
  const columns = [...new Set(rows.slice(0, maxRows).flatMap((row) => Object.keys(row)))];
  const shown = rows.slice(0, maxRows).map((row) => columns.map((column) => cell(row[column])));
  const more = rows.length > maxRows ? `\n  and ${rows.length - maxRows} more; --json prints all` : '';
  return `${name}\n${table(columns, shown)}${more}`;
};

/** Empty when there is nothing to show. */
export const renderDetails = (details: Readonly<Record<string, unknown>> | undefined): string => {
  const entries = Object.entries(details ?? {});
  const flat = entries.flatMap(([name, value]): [string, unknown][] =>
    isRecord(value) ? Object.entries(value).map(([inner, item]) => [`${name}.${inner}`, item]) : [[name, value]],
  );
  const single = flat.filter(([, value]) => !isRows(value) && !(Array.isArray(value) && value.length === 0));
  const lists = flat.flatMap(([name, value]) => (isRows(value) ? [rowsText(name, value)] : []));
  const lines = alignRows(single.map(([name, value]) => [`  ${name}`, cell(value)]));
  return [...lines, ...lists].join('\n');
};
