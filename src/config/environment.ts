/**
 * Reads settings from environment variables. A variable that begins with CROSSFADE_ and belongs to no setting is a
 * mistake, so that a typing error cannot silently leave a default in force. Two exceptions: the command line's own
 * variables, and those that Kubernetes injects for every Service of the namespace (a Service named crossfade-x yields
 * CROSSFADE_X_SERVICE_HOST and CROSSFADE_X_PORT_...), which nobody wrote.
 */
import { parse } from 'yaml';
import { closest } from './closest.ts';
import { type ConfigIssue, hidden } from './issues.ts';
import type { Setting } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables with a meaning outside the schema. */
export const otherVariables = {
  CROSSFADE_CONFIG: 'path of the configuration file, as --config',
  CROSSFADE_ADMIN_URL: 'admin listener that the command line talks to when a command needs an agent',
  CROSSFADE_ACTOR: 'name that the audit log shows for commands of this shell; default: the user name',
} as const;

const injectedByKubernetes = [
  /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$/,
  /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/,
] as const;

const isInjected = (name: string, value: string): boolean =>
  injectedByKubernetes.some((pattern) => pattern.test(name)) ||
  (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value));

const isOurs = (name: string, value: string): boolean =>
  name.startsWith('CROSSFADE_') &&
  !name.startsWith('CROSSFADE_TEST_') &&
  !Object.hasOwn(otherVariables, name) &&
  !isInjected(name, value);

const parseStructured = (text: string): unknown => {
  try {
    return parse(text);
  } catch {
    return text;
  }
};

/** Text to the setting's type; what does not convert stays text and is refused by the schema with its expected form. */
const convert = (given: string, { kind }: Setting): unknown => {
  const text = given.trim();
  switch (kind) {
    case 'integer':
    case 'number':
      return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'list':
      return text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
    case 'structured':
      return parseStructured(text);
    case 'text':
      // Blanks may belong to a password; only the line end that mounted secrets bring along goes.
      return given.replace(/\r?\n$/, '');
    default:
      return kind satisfies never;
  }
};

const unknownVariable = (name: string, settings: readonly Setting[]): ConfigIssue => {
  const meant = closest(
    name,
    settings.map(({ variable }) => variable),
  );
  const hint = meant === undefined ? 'see docs/configuration.md' : `did you mean ${meant}?`;
  return { path: name, from: 'file', value: hidden, expected: `a known variable; ${hint}` };
};

export type FromEnvironment = {
  readonly entries: readonly { readonly setting: Setting; readonly value: unknown }[];
  readonly issues: readonly ConfigIssue[];
};

/** An empty variable counts as not set: templates often leave one behind. */
export const readEnvironment = (env: Environment, settings: readonly Setting[]): FromEnvironment => {
  const byVariable = new Map(settings.map((setting) => [setting.variable, setting]));
  const given = Object.entries(env).flatMap(([name, text]) =>
    text === undefined || text === '' ? [] : [{ name, text }],
  );
  const entries = given.flatMap(({ name, text }) => {
    const setting = byVariable.get(name);
    return setting === undefined ? [] : [{ setting, value: convert(text, setting) }];
  });
  const issues = given
    .filter(({ name, text }) => isOurs(name, text) && !byVariable.has(name))
    .map(({ name }) => unknownVariable(name, settings));
  return { entries, issues };
};
