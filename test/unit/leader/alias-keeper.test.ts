import { describe, expect, it } from 'vitest';
import { refusal } from '../../../src/agent/control-calls.ts';
import { ensureFence } from '../../../src/agent/leader/alias-keeper.ts';
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
