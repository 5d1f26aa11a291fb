/**
 * How the target's mapping and settings differ from the source's, as lines for people. A difference is often the very
 * purpose of a migration, so it is shown and never judged here. Pure.
 */
import type { Side } from '../../coordination/records.ts';

export type Difference = { path: string; source: string; target: string };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const leaves = (value: unknown, path: string, into: Map<string, string>): Map<string, string> => {
  if (!isObject(value) || Object.keys(value).length === 0) return into.set(path, JSON.stringify(value));
  for (const [key, child] of Object.entries(value)) leaves(child, path === '' ? key : `${path}.${key}`, into);
  return into;
};

const differences = (source: Map<string, string>, target: Map<string, string>): Difference[] =>
  [...new Set([...source.keys(), ...target.keys()])]
    .sort()
    .filter((path) => source.get(path) !== target.get(path))
    .map((path) => ({ path, source: source.get(path) ?? 'absent', target: target.get(path) ?? 'absent' }));

/** Settings that belong to one index and cannot be alike. */
const ownSettings =
  /^index\.(uuid|creation_date|provided_name|version\..*|history_uuid|resize\..*|blocks\..*|routing\.allocation\..*)$/;

export const settingDifferences = (source: Record<string, unknown>, target: Record<string, unknown>): Difference[] => {
  const shared = (settings: Record<string, unknown>) =>
    new Map(
      Object.entries(settings)
        .filter(([key]) => !ownSettings.test(key))
        .map(([key, value]) => [key, String(value)]),
    );
  return differences(shared(source), shared(target));
};

/** Paths read as in a document: `title.type` rather than `properties.title.type`. */
export const mappingDifferences = (source: Record<string, unknown>, target: Record<string, unknown>): Difference[] => {
  const flat = (mappings: Record<string, unknown>) =>
    new Map(
      [...leaves(mappings, '', new Map())].map(([path, value]) => [path.replace(/(^|\.)properties\./g, '$1'), value]),
    );
  return differences(flat(source), flat(target));
};

export const differenceLines = (list: readonly Difference[], most = 20): string => {
  const lines = list.slice(0, most).map(({ path, source, target }) => `${path}: ${source} -> ${target}`);
  return list.length > most ? [...lines, `and ${list.length - most} more`].join('; ') : lines.join('; ');
};

/** What suits a source and no follower: copies must not be forgotten, nor changed once more; see judge-pair.ts, judge-pipelines.ts. */
const notForCopies = /^index\.(translog\.durability|final_pipeline)$/;

const withPrefix = (key: string): string => (key.startsWith('index.') ? key : `index.${key}`);

/** Clusters take settings nested, flat and mixed; a nested `index` begins the full name like a written one. */
const flatSettings = (value: unknown, path = ''): [string, unknown][] => {
  if (!isObject(value)) return [[withPrefix(path), value]];
  return Object.entries(value).flatMap(([key, child]) => flatSettings(child, path === '' ? key : `${path}.${key}`));
};

/** What the operator wants of a target that is created, under full names: the only form in which two of a kind meet. */
export const targetSettings = (overrides: Record<string, unknown> = {}): Record<string, unknown> =>
  Object.fromEntries(flatSettings(overrides));

/**
 * Body for creating the target from the source, with the operator's overrides on top. Settings that the source got by
 * being that index are left out.
 */
export const targetBody = (
  source: { mappings: Record<string, unknown>; settings: Record<string, unknown> },
  overrides: { settings?: Record<string, unknown> | undefined; mappings?: Record<string, unknown> | undefined },
): { settings: Record<string, unknown>; mappings: Record<string, unknown> } => {
  const kept = Object.fromEntries(
    Object.entries(source.settings).filter(([key]) => !ownSettings.test(key) && !notForCopies.test(key)),
  );
  return {
    settings: { ...kept, ...targetSettings(overrides.settings) },
    mappings: overrides.mappings ?? source.mappings,
  };
};

type Settings = Record<string, unknown>;

/** As they are, or as they will be once it is created; undefined when it is missing and nobody is to create it. */
export const settingsOfTarget = (
  spec: { createTarget: boolean; targetSettings?: Settings | undefined },
  { source, target }: Partial<Record<Side, { mappings: Settings; settings: Settings } | undefined>>,
): Settings | undefined => {
  if (target !== undefined) return target.settings;
  if (!spec.createTarget || source === undefined) return undefined;
  return targetBody(source, { settings: spec.targetSettings }).settings;
};
