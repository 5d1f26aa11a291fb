/**
 * Renders the tables of the reference pages from the code. `node scripts/reference.ts` rewrites the parts of docs/*.md
 * that stand between `<!-- begin NAME -->` and `<!-- end NAME -->`; tests compare the same parts, so that no page can fall
 * behind. What stands outside the marks is written by hand.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import * as z from 'zod';
import type { ProgramDeps } from '../src/cli/grammar/options.ts';
import { buildProgram } from '../src/cli/program.ts';
import { otherVariables } from '../src/config/environment.ts';
import { Profile } from '../src/compare/profile.ts';
import { VerdictOptions } from '../src/compare/verdict-options.ts';
import { configSettings } from '../src/config/load.ts';
import { errorTable } from '../src/errors.ts';
import { exitTable } from '../src/exit-codes.ts';
import { type Declaration, metricTable, perRoute } from '../src/metrics.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');

const settings = (): string =>
  table(
    ['setting', 'variable', 'form', 'default', 'meaning'],
    configSettings.map((setting) => [
      code(setting.name),
      code(setting.variable),
      cell(setting.form),
      setting.default === undefined ? (setting.required ? '*required*' : '') : code(JSON.stringify(setting.default)),
      cell(setting.secret ? `${setting.description} (secret)` : setting.description),
    ]),
  );

const variables = (): string =>
  table(
    ['variable', 'meaning'],
    Object.entries(otherVariables).map(([name, meaning]) => [code(name), cell(meaning)]),
  );

const labels = ({ labels: sets }: Declaration): string =>
  Object.entries(sets)
    .map(([name, values]) =>
      values === perRoute || values.length === 0 || values.length > 15 ? name : `${name} (${values.join(', ')})`,
    )
    .join('; ');

const metrics = (): string =>
  table(
    ['metric', 'type', 'labels', 'meaning'],
    Object.values(metricTable as Record<string, Declaration>).map((metric) => [
      code(metric.name),
      metric.type,
      cell(labels(metric)),
      cell(metric.help),
    ]),
  );

const errors = (): string =>
  table(
    ['code', 'status', 'not sent', 'meaning'],
    Object.entries(errorTable).map(([name, row]) => [
      code(name),
      String(row.status),
      row.notSent ? 'yes' : '',
      cell(row.meaning),
    ]),
  );

const exits = (): string =>
  table(
    ['code', 'meaning'],
    Object.values(exitTable).map(({ code: number, meaning }) => [String(number), cell(meaning)]),
  );

/** Leaves of the command tree, with what `--help` says of them. */
const leaves = (command: Command, path: string): { path: string; command: Command }[] =>
  command.commands.length === 0
    ? [{ path, command }]
    : command.commands.flatMap((child) => leaves(child, `${path} ${child.name()}`.trim()));

/** Options that many commands share, described once on the page. */
const groups: readonly { name: string; flags: readonly string[] }[] = [
  { name: 'common', flags: ['--config <file>', '--json'] },
  { name: 'change', flags: ['--yes', '--dry-run', '--by <name>', '--reason <text>'] },
  { name: 'wait', flags: ['--wait', '--timeout <seconds>'] },
];

const optionsOf = (command: Command): string => {
  const flags = command.options.map((option) => option.flags);
  const shared = groups.filter((group) => group.flags.every((flag) => flags.includes(flag)));
  const own = flags.filter((flag) => !shared.some((group) => group.flags.includes(flag)));
  return [...shared.map(({ name }) => name), ...own.map(code)].join(', ');
};

const usage = (path: string, command: Command): string => {
  const words = command.registeredArguments.map((given) =>
    given.required ? `<${given.name()}>` : `[${given.name()}]`,
  );
  return code([path, ...words].join(' '));
};

const commands = (): string =>
  table(
    ['command', 'meaning', 'options'],
    leaves(
      buildProgram(unused, () => undefined),
      '',
    ).map(({ path, command }) => [usage(path, command), cell(command.description()), optionsOf(command)]),
  );

type Schema = {
  type?: string | string[];
  description?: string;
  default?: unknown;
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
  oneOf?: Schema[];
};

/** Fields of a schema by dotted path; lists and choices are one field. */
const fieldsOf = (schema: Schema, path = ''): { path: string; field: Schema }[] =>
  Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const at = path === '' ? name : `${path}.${name}`;
    return field.properties === undefined ? [{ path: at, field }] : fieldsOf(field, at);
  });

const fields = (schema: z.ZodType) => (): string =>
  table(
    ['field', 'default', 'meaning'],
    fieldsOf(z.toJSONSchema(schema, { io: 'input' }) as Schema).map(({ path, field }) => [
      code(path),
      field.default === undefined ? '' : code(JSON.stringify(field.default)),
      cell(field.description ?? ''),
    ]),
  );

/** The tree is only looked at, so nothing of this is ever called. */
const unused = { io: { out: () => undefined, note: () => undefined }, env: {}, version: '0' } as unknown as ProgramDeps;

/** Page, name of the part, its text. */
export const parts: readonly { page: string; part: string; render: () => string }[] = [
  { page: 'docs/configuration.md', part: 'settings', render: settings },
  { page: 'docs/configuration.md', part: 'variables', render: variables },
  { page: 'docs/metrics.md', part: 'metrics', render: metrics },
  { page: 'docs/cli.md', part: 'commands', render: commands },
  { page: 'docs/cli.md', part: 'exits', render: exits },
  { page: 'docs/mismatches.md', part: 'profile', render: fields(Profile) },
  { page: 'docs/mismatches.md', part: 'verdict', render: fields(VerdictOptions) },
  { page: 'docs/errors.md', part: 'errors', render: errors },
];

const marks = (part: string): { begin: string; end: string } => ({
  begin: `<!-- begin ${part} -->\n`,
  end: `\n<!-- end ${part} -->`,
});

/** What stands between the marks of a part; undefined when the page lacks them. */
export const partOf = (page: string, part: string): string | undefined => {
  const { begin, end } = marks(part);
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  return from < 0 || to < 0 ? undefined : page.slice(from + begin.length, to);
};

const replacePart = (page: string, part: string, text: string): string => {
  const { begin, end } = marks(part);
  const old = partOf(page, part);
  if (old === undefined) throw new Error(`no marks for ${part}`);
  return page.replace(`${begin}${old}${end}`, () => `${begin}${text}${end}`);
};

if (process.argv[1] === import.meta.filename) {
  for (const { page, part, render } of parts) {
    const path = new URL(`../${page}`, import.meta.url);
    writeFileSync(path, replacePart(readFileSync(path, 'utf8'), part, render()));
  }
}
