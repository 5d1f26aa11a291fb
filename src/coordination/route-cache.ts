/**
 * The last known good routes on disk, so that a member that starts while the store is out of reach serves what it served
 * before. Holds the texts as they stood in the store with their revisions, so one parser reads both.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { replaceFile } from './atomic-file.ts';
import type { Change } from './ports.ts';

const CacheContents = z.strictObject({
  schema: z.literal(1),
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

/** Undefined when there is no file. @throws when there is one that cannot be read or is damaged */
export const readRouteCache = async (file: string): Promise<RouteCache | undefined> => {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { incarnation, changes } = CacheContents.parse(JSON.parse(text));
  return { incarnation, changes: changes.map((change) => ({ ...change, value: change.value ?? undefined })) };
};

export const writeRouteCache = async (file: string, { incarnation, changes }: RouteCache): Promise<void> => {
  await mkdir(dirname(file), { recursive: true });
  const contents = {
    schema: 1,
    incarnation,
    changes: changes.map(({ key, value, revision, lost }) => ({ key, value: value ?? null, revision, lost })),
  } satisfies z.input<typeof CacheContents>;
  await replaceFile(file, `${JSON.stringify(contents, null, 1)}\n`, { durable: true });
};
