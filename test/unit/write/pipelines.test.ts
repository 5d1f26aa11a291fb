import { expect, it } from 'vitest';
import type { DocKey } from '../../../src/coordination/ports.ts';
import { createPipelines } from '../../../src/proxy/write/pipelines.ts';
import { routeState } from '../../support/routes.ts';

const index = { state: routeState(), ordinal: 0, headers: {} };
const docOf = (n: number): DocKey => ({ slug: 'products', ordinal: 0, id: `d${n}`, routing: undefined });

/** Puts `questions`, and while each is under way another document is copied as sent. */
const watched = async (questions: number, status: number) => {
  const renewed: string[][] = [];
  const watching: Promise<unknown>[] = [];
  let asked = 0;
  const request = async () => {
    if (++asked < questions) pipelines.sentAsWritten(index, docOf(asked));
    return { status, headers: {}, body: Buffer.from('{}') };
  };
  const pipelines = createPipelines({
    transports: { source: { request }, target: { request } },
    now: () => 0,
    admission: {
      awaitNewer: () => Promise.resolve(false),
      drainAfter: (_state, work) => void watching.push(work),
    },
    copyAnew: async (_state, docs) => {
      renewed.push(docs.map(({ id }) => id));
      return true;
    },
  });
  pipelines.sentAsWritten(index, docOf(0));
  for (const work of watching) await work;
  return { asked, renewed };
};

it('documents copied as sent are not copied anew on suspicion while each question is answered, however many it takes', async () => {
  expect(await watched(25, 200)).toEqual({ asked: 25, renewed: [] });
});

it('they are after ten questions without an answer in a row', async () => {
  const { asked, renewed } = await watched(10, 403);
  expect([asked, renewed.map((ids) => ids.length)]).toEqual([10, [10]]);
});
