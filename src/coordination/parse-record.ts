/** A record of the store as its schema has it; undefined when there is none or it cannot be read. Pure. */
import type * as z from 'zod';

export const parseRecord = <S extends z.ZodType>(schema: S, text: string | undefined): z.infer<S> | undefined => {
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};
