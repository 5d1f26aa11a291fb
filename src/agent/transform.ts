/**
 * The document transform of a route: a module that an operator writes, run on every copy. The default export turns a
 * source document into a target document, `inverse` goes back; both are needed, because a rollback copies the other
 * way. Returning null means that the document has no counterpart on the follower; `drops` then says by a query which these
 * are, because only so can the counts of both sides be proof. Numbers that JavaScript cannot hold exactly are handed over
 * as BigInt and written back in full. Invariant: a function that does not answer is a refusal of
 * its one document, as one that throws is; everything else goes on.
 */
import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import * as z from 'zod';
import { otherSide, type Side } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import { parseExact, stringifyExact } from './exact-json.ts';

export type TransformMeta = { id: string; routing: string | undefined; index: string };
export type TransformFunction = (doc: unknown, meta: TransformMeta) => unknown;
const Query = z.record(z.string(), z.unknown());
const Dropped = z.strictObject({ source: Query.optional(), target: Query.optional() });
/** By side a query that matches just the documents there that are turned into null on their way to the other side. */
export type Dropped = z.infer<typeof Dropped>;
export type Transform = {
  forward: TransformFunction;
  inverse: TransformFunction;
  drops: Dropped;
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

const answerWithinMs = 5_000;

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof (value as Promise<unknown>)?.then === 'function';

/** A promise that is never settled would hold up the copies of all other documents. */
const answering =
  (transform: TransformFunction, withinMs: number): TransformFunction =>
  (doc, meta) => {
    const made = transform(doc, meta);
    if (!isPromise(made)) return made;
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`no answer within ${withinMs} ms`));
      const timer = setTimeout(late, withinMs);
      made.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  };

/** Named by its last change: Node.js remembers for ever that a module failed, and a corrected one is to be loaded. */
const importNow = async (path: string): Promise<Record<string, unknown>> => {
  const url = pathToFileURL(path);
  url.searchParams.set('changed', String((await stat(path)).mtimeMs));
  return (await import(url.href)) as Record<string, unknown>;
};

/** @throws CrossfadeError CONFIG_INVALID when the module cannot be loaded or lacks one of the two functions. */
export const loadTransform = async (path: string, withinMs = answerWithinMs): Promise<Transform> => {
  let loaded: Record<string, unknown>;
  try {
    loaded = await importNow(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CrossfadeError('CONFIG_INVALID', `transform ${path} cannot be loaded: ${why}`, { cause });
  }
  const { default: forward, inverse, drops = {} } = loaded;
  if (!isFunction(forward) || !isFunction(inverse))
    throw new CrossfadeError(
      'CONFIG_INVALID',
      `transform ${path} needs a default export and \`inverse\`, both functions`,
    );
  const dropped = Dropped.safeParse(drops);
  if (!dropped.success)
    throw new CrossfadeError(
      'CONFIG_INVALID',
      `transform ${path}: \`drops\` must say by a query which documents are turned into null, as in { source: { term: { kind: 'draft' } } }`,
    );
  return { forward: answering(forward, withinMs), inverse: answering(inverse, withinMs), drops: dropped.data };
};

/** Loads each module once. A module that failed to load is tried again at the next use. */
export interface Transforms {
  /** The function that makes documents for `follower`, or undefined when the route has no transform. */
  towards(path: string | undefined, follower: Side): Promise<TransformFunction | undefined>;
  drops(path: string | undefined): Promise<Dropped>;
  /** The function that makes documents for the authority, if it may drop some of the follower's, which then are in order. */
  mayDrop(path: string | undefined, follower: Side): Promise<TransformFunction | undefined>;
  /** Why the module cannot be used, if so. */
  problem(path: string | undefined): Promise<string | undefined>;
}

export const createTransforms = (
  load: (path: string) => Promise<Transform> = (path) => loadTransform(path),
): Transforms => {
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
    drops: async (path) => (await get(path))?.drops ?? {},
    mayDrop: async (path, follower) => {
      const transform = await get(path);
      return transform?.drops[follower] && towards(transform, otherSide(follower));
    },
    problem: async (path) => {
      try {
        await get(path);
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    },
  };
};
