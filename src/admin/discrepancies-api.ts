/** Kept mismatches under /api: lists by route, one by its id, and a replay. What is shown was redacted when it was kept. */
import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { CrossfadeError } from '../errors.ts';

export type Discrepancies = {
  list(slug: string, filter: { severity?: string | undefined; shape?: string | undefined }): readonly unknown[];
  /** @throws CrossfadeError SAMPLE_UNKNOWN */
  find(id: string): unknown;
  /** @throws CrossfadeError SAMPLE_UNKNOWN, REPLAY_REFUSED */
  replay(id: string): Promise<unknown>;
};

/** Of a process that compares nothing. */
export const noDiscrepancies: Discrepancies = {
  list: () => [],
  find: (id) => {
    throw new CrossfadeError('SAMPLE_UNKNOWN', `This process keeps no discrepancy ${id}.`);
  },
  replay: async (id) => {
    throw new CrossfadeError('SAMPLE_UNKNOWN', `This process keeps no discrepancy ${id}.`);
  },
};

const Params = z.strictObject({ id: z.string().regex(/^[0-9a-f]{8}$/) });

const idOf = (params: unknown): string => {
  const parsed = Params.safeParse(params);
  if (!parsed.success) throw new CrossfadeError('USAGE', 'The id of a discrepancy has eight hexadecimal digits.');
  return parsed.data.id;
};

export const addDiscrepancies = (app: FastifyInstance, discrepancies: Discrepancies): void => {
  app.get('/api/discrepancies/:id', async ({ params }) => ({ discrepancy: discrepancies.find(idOf(params)) }));
  app.post('/api/discrepancies/:id/replay', async ({ params }) => ({
    replay: await discrepancies.replay(idOf(params)),
  }));
};
