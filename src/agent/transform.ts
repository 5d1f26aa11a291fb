/**
 * The document transform of a route: a module that an operator writes, run on every copy. The default export turns a
 * source document into a target document, `inverse` goes back; both are needed, because a rollback copies the other
 * way. Returning null means that the document has no counterpart on the follower. Numbers that JavaScript cannot hold
 * exactly are handed over as BigInt and written back in full.
 */
import { pathToFileURL } from 'node:url';
import type { Side } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import { parseExact, stringifyExact } from './exact-json.ts';

export type TransformMeta = { id: string; routing: string | undefined; index: string };
export type TransformFunction = (doc: unknown, meta: TransformMeta) => unknown;
export type Transform = {
  forward: TransformFunction;
  inverse: TransformFunction;
  /** Declared by the module (`export const drops = true`): documents may be turned into null, so counts may differ. */
  drops: boolean;
};

/** The function that makes documents for `follower`. */
export const towards = (transform: Transform, follower: Side): TransformFunction =>
  follower === 'target' ? transform.forward : transform.inverse;

/** Bytes of the follower's document, or null for none. @throws whatever the operator's function throws. */
export const transformSource = async (
  transform: TransformFunction,
  source: Uint8Array,
  meta: TransformMeta,
): Promise<Uint8Array | null> => {
  const made = await transform(parseExact(source), meta);
  if (made === null) return null;
  if (typeof made !== 'object' || Array.isArray(made))
    throw new TypeError('the transform must return an object or null');
  return Buffer.from(stringifyExact(made));
};

const isFunction = (value: unknown): value is TransformFunction => typeof value === 'function';

/** @throws CrossfadeError CONFIG_INVALID when the module cannot be loaded or lacks one of the two functions. */
export const loadTransform = async (path: string): Promise<Transform> => {
  let loaded: Record<string, unknown>;
  try {
    loaded = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (cause) {
    throw new CrossfadeError('CONFIG_INVALID', `transform ${path} cannot be loaded`, { cause });
  }
  const { default: forward, inverse, drops } = loaded;
  if (isFunction(forward) && isFunction(inverse)) return { forward, inverse, drops: drops === true };
  throw new CrossfadeError(
    'CONFIG_INVALID',
    `transform ${path} needs a default export and \`inverse\`, both functions`,
  );
};

/** Loads each module once. A module that failed to load is tried again at the next use. */
export interface Transforms {
  /** The function that makes documents for `follower`, or undefined when the route has no transform. */
  towards(path: string | undefined, follower: Side): Promise<TransformFunction | undefined>;
  drops(path: string | undefined): Promise<boolean>;
}

export const createTransforms = (load: (path: string) => Promise<Transform> = loadTransform): Transforms => {
  const loaded = new Map<string, Transform>();
  const get = async (path: string | undefined): Promise<Transform | undefined> => {
    if (path === undefined) return undefined;
    const transform = loaded.get(path) ?? (await load(path));
    loaded.set(path, transform);
    return transform;
  };
  return {
    towards: async (path, follower) => {
      const transform = await get(path);
      return transform && towards(transform, follower);
    },
    drops: async (path) => (await get(path))?.drops ?? false,
  };
};
