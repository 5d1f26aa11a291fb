/**
 * Reads a record that a leader keeps for its successors. One that cannot be read counts as absent, because each of them can
 * be made anew; somebody is told, since it costs time or what was noticed before.
 */
import type * as z from 'zod';
import { parseRecord } from '../coordination/parse-record.ts';
import type { Bucket, Entry } from '../coordination/ports.ts';

export type OnUnreadable = (key: string) => void;
type Reading<S> = { schema: S; onUnreadable?: OnUnreadable | undefined };

/** @throws when the store cannot be asked */
export const readKept = async <S extends z.ZodType>(
  bucket: Pick<Bucket, 'get'>,
  key: string,
  { schema, onUnreadable }: Reading<S>,
): Promise<{ entry: Entry | undefined; record: z.infer<S> | undefined }> => {
  const entry = await bucket.get(key);
  const record = parseRecord(schema, entry?.value);
  if (entry !== undefined && record === undefined) onUnreadable?.(key);
  return { entry, record };
};
