/**
 * The configuration as it may be logged. What is secret is marked in the schema, so a new secret field cannot be
 * forgotten here; user information in URLs goes as well.
 */
import { hidden, withoutUserInfo } from './issues.ts';
import { nodeAt, type SchemaNode } from './settings.ts';

export const redacted = (value: unknown, root: SchemaNode, path: readonly PropertyKey[] = []): unknown => {
  if (nodeAt(root, path)?.secret === true) return hidden;
  if (typeof value === 'string') return withoutUserInfo(value);
  if (Array.isArray(value)) return value.map((item, i) => redacted(item, root, [...path, i]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, redacted(child, root, [...path, key])]));
};
