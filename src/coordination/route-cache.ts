/**
 * The last known good routes on disk, so that a member that starts while the store is out of reach serves what it served
 * before. Holds the texts as they stood in the store with their revisions, so one parser reads both. Invariant: routes of
 * another bucket are never taken for those of this one, though two agents may have been given one folder.
 */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { replaceFile } from './atomic-file.ts';
import type { Change } from './ports.ts';

/** The bucket that the routes come from, and the servers that have it, without credentials. */
const CacheOrigin = z.strictObject({ bucket: z.string(), servers: z.array(z.string()) });
export type CacheOrigin = z.infer<typeof CacheOrigin>;

const CacheContents = z.strictObject({
  schema: z.literal(1),
  of: CacheOrigin.optional(),
  incarnation: z.string(),
  changes: z.array(
    z.strictObject({
      key: z.string(),
      value: z.string().nullable(),
      revision: z.int().min(0),
      lost: z.literal(true).optional(),
    }),
  ),
});
export type RouteCache = { incarnation: string; changes: Change[] };

/** Servers come and go; a file of before origins were written is believed. */
const isSame = (of: CacheOrigin | undefined, own: CacheOrigin | undefined): boolean =>
  of === undefined ||
  own === undefined ||
  (of.bucket === own.bucket && of.servers.some((server) => own.servers.includes(server)));

/** When the file was last known to say what the store says, in milliseconds since the epoch; undefined = nobody can tell. */
export const routeCacheTime = (file: string): Promise<number | undefined> =>
  stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );

/** Undefined when there is no file. @throws when there is one that cannot be read, is damaged, or is of another origin */
export const readRouteCache = async (file: string, origin?: CacheOrigin): Promise<RouteCache | undefined> => {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { of, incarnation, changes } = CacheContents.parse(JSON.parse(text));
  if (!isSame(of, origin))
    throw new Error(
      `it is of bucket ${of?.bucket} on ${of?.servers.join(', ')}: give each installation its own stateDir`,
    );
  return { incarnation, changes: changes.map((change) => ({ ...change, value: change.value ?? undefined })) };
};

export const writeRouteCache = async (
  file: string,
  { incarnation, changes }: RouteCache,
  origin?: CacheOrigin,
): Promise<void> => {
  await mkdir(dirname(file), { recursive: true });
  const contents = {
    schema: 1,
    ...(origin && { of: origin }),
    incarnation,
    changes: changes.map(({ key, value, revision, lost }) => ({ key, value: value ?? null, revision, lost })),
  } satisfies z.input<typeof CacheContents>;
  await replaceFile(file, `${JSON.stringify(contents, null, 1)}\n`, { durable: true });
};
