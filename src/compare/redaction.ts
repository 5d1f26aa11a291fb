/** The parts of redaction that requests, answers and differences share: how a value is hashed, and which stay clear. */
import { isObject, type Json, mapMembers, textOf } from './json-value.ts';

/** `hash` keyed per installation, short and printable; `clearFields` = names or dotted paths of document fields. */
export type Redaction = { hash: (text: string) => string; clearFields: readonly string[] };

/** `path` = where we are inside a document. */
export type Scope = { redaction: Redaction; path: string };

export const isClear = ({ redaction, path }: Scope): boolean =>
  redaction.clearFields.some((field) => `.${path}.`.includes(`.${field}.`));

export const hashed = (text: string, { redaction }: Scope): string => `#${redaction.hash(text)}`;

export const below = (scope: Scope, name: string): Scope => ({
  ...scope,
  path: scope.path === '' ? name : `${scope.path}.${name}`,
});

/** Flags and absences tell no secret. */
export const redactLeaf = (value: Json, scope: Scope): Json =>
  value === null || typeof value === 'boolean'
    ? value
    : hashed(typeof value === 'string' ? value : textOf(value), scope);

/** Every leaf hashed, unless the field it belongs to is clear. */
export const redactValues = (value: Json, scope: Scope): Json => {
  if (isClear(scope)) return value;
  if (Array.isArray(value)) return value.map((item) => redactValues(item, scope));
  return isObject(value)
    ? mapMembers(value, (item, name) => redactValues(item, below(scope, name)))
    : redactLeaf(value, scope);
};
