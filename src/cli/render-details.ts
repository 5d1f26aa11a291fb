/**
 * The `details` of a leader's answer for people: the gate as the conditions that are not met, the report of a switch in
 * one line each, everything else generically: scalars as pairs, lists of records as tables, cut to what a terminal shows.
 */
import * as z from 'zod';
import { CutoverReport, GateCondition } from '../coordination/job-status.ts';
import { milliseconds } from './format.ts';
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

/** Conditions that hold are in the status; here only what stands in the way matters. */
const gateText = (gate: readonly GateCondition[]): string =>
  alignRows(
    gate.filter(({ ok }) => !ok).map(({ condition, value, need }) => ['  ✗', condition, value, `needs ${need}`]),
  ).join('\n');

const reportText = ({ pauseMs, path, stepsMs }: CutoverReport): string => {
  const steps = Object.entries(stepsMs).map(([step, ms]) => `${step} ${milliseconds(ms)}`);
  return alignRows([
    ...(pauseMs === undefined ? [] : [['  writes waited', milliseconds(pauseMs)]]),
    ...(path === undefined ? [] : [['  path', path]]),
    ...(steps.length === 0 ? [] : [['  steps', steps.join(', ')]]),
  ]).join('\n');
};

const generic = (entries: readonly [string, unknown][]): string[] => {
  const flat = entries.flatMap(([name, value]): [string, unknown][] =>
    isRecord(value) ? Object.entries(value).map(([inner, item]) => [`${name}.${inner}`, item]) : [[name, value]],
  );
  const single = flat.filter(([, value]) => !isRows(value) && !(Array.isArray(value) && value.length === 0));
  const lists = flat.flatMap(([name, value]) => (isRows(value) ? [rowsText(name, value)] : []));
  return [...alignRows(single.map(([name, value]) => [`  ${name}`, cell(value)])), ...lists];
};

/** Empty when there is nothing to show. */
export const renderDetails = (details: Readonly<Record<string, unknown>> | undefined): string => {
  const { gate, report, ...others } = details ?? {};
  const conditions = z.array(GateCondition).safeParse(gate);
  const cutover = CutoverReport.safeParse(report);
  return [
    conditions.success ? gateText(conditions.data) : '',
    cutover.success ? reportText(cutover.data) : '',
    ...generic(Object.entries(others)),
  ]
    .filter((part) => part !== '')
    .join('\n');
};
