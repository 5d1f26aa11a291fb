/** What an API server does with a Migration by its definition: prunes what that does not know, and refuses what it forbids. */
import { parse } from 'yaml';
import { read } from '../docs/files.ts';

export type Schema = {
  type?: string;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  multipleOf?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-validations'?: { rule: string; message: string }[];
};
type Version = { name: string; subresources: object; schema: { openAPIV3Schema: Schema } };
export const definition = parse(read('deploy/operator/crd.yaml')) as {
  metadata: { name: string };
  spec: { group: string; names: { plural: string }; versions: [Version] };
};
const root = definition.spec.versions[0].schema.openAPIV3Schema;
const schemaOf = (field: 'spec' | 'status'): Schema => root.properties?.[field] ?? {};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const prune = (schema: Schema, value: unknown): unknown => {
  if (Array.isArray(value)) return value.map((item) => prune(schema.items ?? {}, item));
  if (!isRecord(value) || schema['x-kubernetes-preserve-unknown-fields'] === true) return value;
  const known = Object.entries(value).filter(([key]) => schema.properties?.[key] !== undefined);
  return Object.fromEntries(known.map(([key, one]) => [key, prune(schema.properties?.[key] ?? {}, one)]));
};

/** As tolerant of binary fractions as the API server. */
const isMultiple = (value: number, of: number): boolean => Math.abs(value / of - Math.round(value / of)) < 1e-6;

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isRecord,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
};

const within = (schema: Schema, value: unknown, path: string): string[] => {
  if (Array.isArray(value))
    return value.flatMap((one, at) => problems(schema.items ?? {}, { value: one, path: `${path}[${at}]` }));
  if (!isRecord(value)) return [];
  const missing = (schema.required ?? []).filter((key) => value[key] === undefined);
  return [
    ...missing.map((key) => `${path}.${key}: required`),
    ...Object.entries(schema.properties ?? {}).flatMap(([key, one]) =>
      value[key] === undefined ? [] : problems(one, { value: value[key], path: `${path}.${key}` }),
    ),
  ];
};

const problems = (schema: Schema, { value, path }: { value: unknown; path: string }): string[] => {
  const { type, minimum = -Infinity, maximum = Infinity, multipleOf } = schema;
  if (type !== undefined && !types[type]?.(value)) return [`${path}: must be of type ${type}`];
  if (schema.enum?.includes(value) === false) return [`${path}: supported values: ${schema.enum.join()}`];
  if (typeof value === 'number' && (value < minimum || value > maximum)) return [`${path}: out of bounds`];
  if (typeof value === 'number' && multipleOf !== undefined && !isMultiple(value, multipleOf))
    return [`${path}: no multiple of ${multipleOf}`];
  return within(schema, value, path);
};

export const pruned = (field: 'spec' | 'status', value: unknown): unknown => prune(schemaOf(field), value);
/** Rules in CEL are not evaluated here. */
export const problemsOf = (field: 'spec' | 'status', value: unknown): string[] =>
  problems(schemaOf(field), { value, path: field });
