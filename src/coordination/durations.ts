/**
 * Times that people set. Pure. A timer of Node waits for at most 2^31 - 1 ms and fires at once beyond that, so a time that
 * means "for ever" would act as none at all. The limit leaves room for the sum of two.
 */
import * as z from 'zod';

export const longestMs = 1_000_000_000;

export const milliseconds = (leastMs: number) => z.int().min(leastMs).max(longestMs);
