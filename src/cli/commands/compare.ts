/**
 * `compare a.json b.json`: what the shadow comparison would make of two answers, and why. Nothing is asked of anybody: the
 * answers come from files, as `curl` wrote them. For trying out a profile before a route gets it.
 */
import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import * as z from 'zod';
import { compareAnswers } from '../../compare/compare.ts';
import { discardMeanings, kindMeanings, severityMeanings } from '../../compare/explain.ts';
import { guessApi, isBareDocument } from '../../compare/guess-api.ts';
import { type Json, member, numberMember, parseText, textOf } from '../../compare/json-value.ts';
import { Profile } from '../../compare/profile.ts';
import { isSourceRead } from '../../compare/request.ts';
import { pathText, type Rules, rulesFrom } from '../../compare/rules.ts';
import {
  type Answer,
  type ComparableApi,
  comparableApis,
  type Difference,
  type Observation,
} from '../../compare/types.ts';
import type { Exit } from '../../exit-codes.ts';
import { CliError } from '../cli-error.ts';
import type { Outcome } from '../context.ts';
import { table } from '../table.ts';

export type CompareChoice = {
  authority: string;
  other: string;
  profile?: string | undefined;
  /** File with the request's body. */
  request?: string | undefined;
  /** `/products/_search?size=20`: parameters decide too. */
  path?: string | undefined;
  api?: ComparableApi | undefined;
  /** `products_v2=products`, for names of indices that the migration changes. */
  rename?: readonly string[] | undefined;
};

const read = (path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CliError('config', `${path} cannot be read: ${(error as Error).message}`);
  }
};

/** A body, or `{status, body}` as `discrepancies` prints it. */
const answerIn = (path: string): { answer: Answer; body: Json } => {
  const bytes = read(path);
  const whole = parseText(bytes.toString('utf8'));
  if (whole === undefined) throw new CliError('config', `${path} is not JSON`);
  const [status, inner] = [numberMember(whole, 'status'), member(whole, 'body')];
  if (status === undefined || inner === undefined)
    return { answer: { status: status ?? 200, body: bytes }, body: whole };
  const body = typeof inner === 'string' ? (parseText(inner) ?? inner) : inner;
  return { answer: { status, body: Buffer.from(textOf(body)) }, body };
};

type RouteFile = { shadow?: { profile?: unknown }; transform?: unknown };

/** Of a profile, or of a route file, which may hold one. */
const parseRules = (text: string, path: string): Rules => {
  let value: unknown;
  try {
    value = parseYaml(text) ?? {};
  } catch (error) {
    throw new CliError('config', `${path}: ${(error as Error).message.split('\n')[0]}`);
  }
  const { shadow, transform } = value as RouteFile;
  const overrides = shadow === undefined ? value : (shadow.profile ?? {});
  const parsed = Profile.safeParse(overrides);
  if (!parsed.success) throw new CliError('config', `${path}:\n${z.prettifyError(parsed.error)}`);
  return rulesFrom(overrides, { transformed: shadow !== undefined && transform !== undefined });
};

const parseApi = (name: string | undefined): ComparableApi | undefined => {
  const api = comparableApis.find((known) => known === name);
  if (name !== undefined && api === undefined)
    throw new CliError('usage', `${name} is not compared; there are ${comparableApis.join(', ')}`);
  return api;
};

const renames = (pairs: readonly string[] = []): Map<string, string> =>
  new Map(
    pairs.map((pair) => {
      const [from, to] = pair.split('=');
      if (!from || !to) throw new CliError('usage', `${pair}: --rename is <name>=<name on both sides>`);
      return [from, to];
    }),
  );

/** Which API was asked, and how. Without either told, the authority's answer tells by its form. */
const askedOf = (choice: CompareChoice, body: Json): { api: ComparableApi; path: string; query: string } => {
  const standIn = isBareDocument(body) && choice.api === undefined ? '/_/_source/_' : '/_search';
  const [path = '', query = ''] = (choice.path ?? standIn).split('?');
  const told = parseApi(choice.api) ?? (isSourceRead({ path }) ? 'get' : undefined);
  return { api: told ?? guessApi(body), path, query };
};

const observe = (choice: CompareChoice): { api: ComparableApi; observation: Observation } => {
  const [authority, other] = [answerIn(choice.authority), answerIn(choice.other)];
  const { api, path, query } = askedOf(choice, authority.body);
  const rules =
    choice.profile === undefined ? rulesFrom(undefined) : parseRules(read(choice.profile).toString(), choice.profile);
  const names = renames(choice.rename);
  const observation = compareAnswers({
    api,
    request: { method: 'POST', path, query, body: choice.request === undefined ? undefined : read(choice.request) },
    authority: authority.answer,
    other: other.answer,
    renameIndex: (name) => names.get(name) ?? name,
    rules,
  });
  return { api, observation };
};

const row = ({ severity, kind, path, authority = '-', other = '-' }: Difference): string[] => [
  severity,
  kind,
  pathText(path),
  authority,
  other,
];

const why = (differences: readonly Difference[]): string[] =>
  [...new Set(differences.map(({ kind }) => kind))].map((kind) => `  ${kind}: ${kindMeanings[kind]}`);

const textOfObservation = ({ severity, differences, counts, applied = [], discard }: Observation): string => {
  if (discard !== undefined) return `says nothing of the other side: ${discardMeanings[discard]}`;
  const rules = applied.map(({ rule, pattern, times }) => `  ${rule} ${pattern}: ${times} times`);
  const byProfile = rules.length === 0 ? [] : ['', 'changed by the profile', ...rules];
  if (severity === 'none') return ['equal', ...byProfile].join('\n');
  const found = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const more = found - differences.length;
  return [
    `${severity}: ${severityMeanings[severity]}`,
    '',
    table(['severity', 'kind', 'path', 'authority', 'other'], differences.map(row)),
    ...(more > 0 ? [`and ${more} more`] : []),
    '',
    'why',
    ...why(differences),
    ...byProfile,
  ].join('\n');
};

/** S8 and S9 never count against a side, so scripts need not mind them. */
const exitOf = ({ severity, discard }: Observation): Exit => {
  if (discard !== undefined) return 'refused';
  return severity === 'none' || severity >= 'S8' ? 'done' : 'different';
};

export const compareFiles = (choice: CompareChoice): Outcome => {
  const { api, observation } = observe(choice);
  const explained = observation.differences.map((difference) => ({
    ...difference,
    path: pathText(difference.path),
    why: kindMeanings[difference.kind],
  }));
  return {
    text: textOfObservation(observation),
    json: { api, ...observation, differences: explained },
    exit: exitOf(observation),
  };
};

/** The profile's JSON schema, for editors and for checks in a repository. */
export const profileSchema = (): Outcome => {
  const json = z.toJSONSchema(Profile, { io: 'input' });
  return { text: JSON.stringify(json, undefined, 2), json };
};
