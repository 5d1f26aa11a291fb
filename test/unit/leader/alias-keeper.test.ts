import { describe, expect, it } from 'vitest';
import { refusal } from '../../../src/agent/control-calls.ts';
import { ensureFence, openAliases } from '../../../src/agent/leader/alias-keeper.ts';
import { controls, fakePair, routeState } from '../agent/route.ts';

const { source } = controls(fakePair(routeState()));
const creating = (status: number, type: string) =>
  ensureFence({
    ...source,
    getIndex: async () => undefined,
    createIndex: () => Promise.reject(refusal('PUT /crossfade-fence', status, { type, reason: '' })),
  });

describe('the fence index', () => {
  it('may be made by the leader of another route in the same moment', async () => {
    await expect(creating(400, 'resource_already_exists_exception')).resolves.toBeUndefined();
  });

  it('is missing when the cluster refuses to make it', async () => {
    await expect(creating(403, 'security_exception')).rejects.toMatchObject({ code: 'UPSTREAM_REFUSED' });
  });
});

describe('an alias that an earlier migration of the same name left at the fence', () => {
  it('is refused with what to do about it, and not moved', async () => {
    const moved: unknown[] = [];
    const opening = openAliases(
      {
        ...source,
        getAliases: async () => ({ 'crossfade-fence': { 'crossfade-products-e1': {} } }),
        updateAliases: async (actions) => moved.push(actions) > 0,
      },
      'products',
      new Map([['crossfade-products-e1', 'products_v1']]),
    );
    await expect(opening).rejects.toMatchObject({
      code: 'PHASE_REFUSED',
      message: expect.stringMatching(/^crossfade-products-e1 cannot be opened.*name the route otherwise, or remove/),
    });
    expect(moved).toEqual([]);
  });
});
