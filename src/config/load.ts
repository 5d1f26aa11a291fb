/**
 * Turns the text of a configuration file and the environment into a configuration, or into the list of everything that
 * is wrong with them. Pure: no file is read, no variable looked up, so every mistake can be a row in a test. The
 * environment wins over the file, and a section left empty counts as not set.
 */
import { parseDocument } from 'yaml';
import type * as z from 'zod';
import { CliConfig, Config } from '../config.ts';
import { crossCheck } from './cross-checks.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { type ConfigIssue, fromZod, type IssueContext, issueAt } from './issues.ts';
import { type SchemaNode, type Setting, schemaNode, settingsOf } from './settings.ts';
import { fileIssue, yamlValues } from './yaml-values.ts';

export type Loaded<T> =
  { readonly ok: true; readonly config: T } | { readonly ok: false; readonly issues: ConfigIssue[] };
export type ConfigInput = { readonly fileText?: string | undefined; readonly env: Environment };

type Values = Record<string, unknown>;
const isSection = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const parseFile = (text: string): { values: Values; issues: ConfigIssue[] } => {
  const read = yamlValues(parseDocument(text, { prettyErrors: true }));
  if (!read.ok) return { values: {}, issues: read.issues };
  const values = read.value ?? {};
  return isSection(values) ? { values, issues: [] } : { values: {}, issues: [fileIssue('a mapping of settings')] };
};

/** `admin:` with everything below it commented out is null in YAML and means nothing was set. */
const withoutEmpty = (value: unknown): unknown => {
  if (!isSection(value)) return value;
  const kept = Object.entries(value).filter(([, child]) => child !== null && child !== undefined);
  return Object.fromEntries(kept.map(([key, child]) => [key, withoutEmpty(child)]));
};

/** Puts a value at a path; a file that has something else than a section on the way keeps it, and the schema refuses it. */
const put = (values: Values, path: readonly string[], value: unknown): Values => {
  const [head, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) return { ...values, [head]: value };
  const child = values[head] ?? {};
  return isSection(child) ? { ...values, [head]: put(child, rest, value) } : values;
};

/** Adds empty sections that must exist, so that a missing field is reported by its own path and not as its section. */
const withRequiredSections = (node: SchemaNode, values: Values): Values => {
  const sections = Object.entries(node.properties ?? {}).filter(([, child]) => child.properties !== undefined);
  const filled = sections.flatMap(([key, child]): [string, Values][] => {
    const value = values[key] ?? (node.required?.includes(key) ? {} : undefined);
    return isSection(value) ? [[key, withRequiredSections(child, value)]] : [];
  });
  return { ...values, ...Object.fromEntries(filled) };
};

type Reader<S extends z.ZodType> = { schema: S; root: SchemaNode; settings: readonly Setting[] };
const readerOf = <S extends z.ZodType>(schema: S): Reader<S> => {
  const root = schemaNode(schema);
  return { schema, root, settings: settingsOf(root) };
};

const read = <S extends z.ZodType>(reader: Reader<S>, { fileText, env }: ConfigInput): Loaded<z.infer<S>> => {
  const file = fileText === undefined ? { values: {}, issues: [] } : parseFile(fileText);
  const fromEnv = readEnvironment(env, reader.settings);
  const merged = fromEnv.entries.reduce(
    (values, { setting, value }) => put(values, setting.path, value),
    withoutEmpty(file.values) as Values,
  );
  const values = withRequiredSections(reader.root, merged);
  const variables = new Map(fromEnv.entries.map(({ setting }) => [setting.name, setting.variable]));
  const context: IssueContext = { root: reader.root, values, variables };
  const parsed = reader.schema.safeParse(values);
  const issues = [
    ...file.issues,
    // A file that cannot be read lacks everything; complaining about that would bury the one mistake.
    ...(parsed.success || file.issues.length > 0
      ? []
      : parsed.error.issues.flatMap((issue) => fromZod(issue, context))),
    ...crossCheck(values).map(({ path, expected }) => issueAt(path, expected, context)),
    ...fromEnv.issues,
  ];
  return parsed.success && issues.length === 0 ? { ok: true, config: parsed.data } : { ok: false, issues };
};

const agentReader = readerOf(Config);
const cliReader = readerOf(CliConfig);
/** Every setting of the product, for the reference page and for tests. */
export const configSettings = agentReader.settings;
export const configNode = agentReader.root;

/** The configuration of an agent or worker. */
export const loadConfig = (input: ConfigInput): Loaded<Config> => read(agentReader, input);
/** The same file and environment for the command line, which needs no cluster. */
export const loadCliConfig = (input: ConfigInput): Loaded<CliConfig> => read(cliReader, input);
