/**
 * The configuration schema seen as a list of settings: path, environment variable, expected form, default, description.
 * Everything is derived from the zod schema through its JSON Schema, so that a new field needs no second entry: the
 * environment, the messages and the reference page all follow. Variable names are mechanical: the path in upper snake
 * case behind CROSSFADE_, e.g. clusters.target.url is CROSSFADE_CLUSTERS_TARGET_URL.
 */
import * as z from 'zod';

/** The parts of JSON Schema that are read here, with our own marks `form` and `secret`. */
export type SchemaNode = {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly form?: string;
  readonly secret?: boolean;
};

export type SettingKind = 'text' | 'integer' | 'number' | 'boolean' | 'list' | 'structured';
export type Setting = {
  readonly path: readonly string[];
  /** The path with dots. */
  readonly name: string;
  readonly variable: string;
  readonly kind: SettingKind;
  readonly form: string;
  readonly default: unknown;
  readonly required: boolean;
  readonly secret: boolean;
  readonly description: string;
};

export const schemaNode = (schema: z.ZodType): SchemaNode =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;

const upperSnake = (segment: string): string => segment.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();

export const variableOf = (path: readonly string[]): string => ['CROSSFADE', ...path.map(upperSnake)].join('_');

const range = ({ minimum, maximum }: SchemaNode): string => {
  const bounds = [
    minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? `at least ${minimum}` : '',
    maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? `at most ${maximum}` : '',
  ].filter((bound) => bound !== '');
  return bounds.length === 0 ? '' : `, ${bounds.join(', ')}`;
};

/** What a value must look like, in words for people. */
export const formOf = (node: SchemaNode): string => {
  if (node.form !== undefined) return node.form;
  if (node.enum !== undefined) return `one of ${node.enum.join(', ')}`;
  if (node.anyOf !== undefined) return node.anyOf.map(formOf).join(' or ');
  switch (node.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `whole number${range(node)}`;
    case 'number':
      return `number${range(node)}`;
    case 'array':
      return `list of: ${node.items === undefined ? 'anything' : formOf(node.items)}`;
    case 'object':
      return node.properties === undefined
        ? 'section'
        : `section with the fields ${Object.keys(node.properties).join(', ')}`;
    default:
      return node.pattern === undefined ? 'text' : `text like ${node.pattern}`;
  }
};

const isTextList = (node: SchemaNode): boolean =>
  (node.type === 'array' && node.items?.type === 'string') || (node.anyOf?.some(isTextList) ?? false);

const kindOf = (node: SchemaNode): SettingKind => {
  if (isTextList(node)) return 'list';
  if (node.type === 'integer' || node.type === 'number' || node.type === 'boolean') return node.type;
  return node.type === 'array' || node.type === 'object' ? 'structured' : 'text';
};

const settingOf = (node: SchemaNode, path: readonly string[], required: boolean): Setting => ({
  path,
  name: path.join('.'),
  variable: variableOf(path),
  kind: kindOf(node),
  form: node.type === 'array' && !isTextList(node) ? 'list of sections' : formOf(node),
  default: node.default,
  required: required && node.default === undefined,
  secret: node.secret ?? false,
  description: node.description ?? '',
});

/** Every leaf of the schema in its order. `required` holds inside its section: a section may be absent as a whole. */
export const settingsOf = (node: SchemaNode, path: readonly string[] = []): readonly Setting[] =>
  Object.entries(node.properties ?? {}).flatMap(([key, child]) =>
    child.properties === undefined
      ? [settingOf(child, [...path, key], node.required?.includes(key) ?? false)]
      : settingsOf(child, [...path, key]),
  );

/** The node that describes a path; undefined below a field that the schema does not know. */
export const nodeAt = (root: SchemaNode, path: readonly PropertyKey[]): SchemaNode | undefined => {
  let node: SchemaNode | undefined = root;
  for (const step of path) {
    if (node === undefined) return undefined;
    const shapes: readonly SchemaNode[] = node.anyOf ?? [node];
    const next: (SchemaNode | undefined)[] = shapes.map((shape) =>
      typeof step === 'number' ? shape.items : shape.properties?.[String(step)],
    );
    node = next.find((found) => found !== undefined);
  }
  return node;
};
