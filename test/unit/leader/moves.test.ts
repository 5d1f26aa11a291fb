import { expect, it } from 'vitest';
import { type MoveDeps, blockWrites } from '../../../src/agent/leader/moves.ts';
import { routeState } from '../../support/routes.ts';

const source = (status: number): Pick<MoveDeps, 'clusters' | 'spec'> => {
  const answering = { json: async () => ({ status, body: {} }) } as unknown as MoveDeps['clusters']['source'];
  return { spec: routeState().spec, clusters: { source: answering, target: answering } };
};

it('a finalize says so when the source did not take its write block', async () => {
  await expect(blockWrites(source(200))).resolves.toBeUndefined();
  await expect(blockWrites(source(403))).rejects.toMatchObject({
    code: 'GATE_REFUSED',
    message: expect.stringMatching(/final, but products_v1 stays writable: .* 403/),
  });
});
