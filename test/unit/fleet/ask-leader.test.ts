/** A request whose write to the store went astray: the store is asked, and what nobody knows is said to be unknown. */
import { expect, it, vi } from 'vitest';
import { keys } from '../../../src/coordination/keys.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { submitAsk, withdrawAsk } from '../../../src/fleet/ask-leader.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const submit = (store: MemoryStore) => {
  const deps = { store, by: 'test', reason: '', now: () => 0, sleep: async () => undefined, newId: () => 'ask-1' };
  return submitAsk(deps, { slug: 'products', action: 'advance' }, 0);
};
/** The store takes each write, and its answer is lost. */
const loseAnswers = (store: MemoryStore): void => {
  const put = store.config.put.bind(store.config);
  const lost = { ok: false, reason: 'unknown' } as never;
  vi.spyOn(store.config, 'update').mockImplementation(async (key, value) => {
    await put(key, value);
    return lost;
  });
};

it('a request that the store took counts as left, though the answer was lost', async () => {
  const store = new MemoryStore();
  loseAnswers(store);
  expect(await submit(store)).toMatchObject({ ask: { id: 'ask-1' } });
});

it('its fate is unknown when the store cannot be asked either, and is never said to be a failure', async () => {
  const store = new MemoryStore();
  loseAnswers(store);
  const get = store.config.get.bind(store.config);
  let looks = 0;
  vi.spyOn(store.config, 'get').mockImplementation(async (key) => {
    if (key === keys.ask('products') && ++looks > 1) throw new CrossfadeError('STORE_UNAVAILABLE');
    return get(key);
  });
  await expect(submit(store)).rejects.toMatchObject({ code: 'STORE_OUTCOME_UNKNOWN' });
});

it.each([
  ['is gone when it was deleted', undefined, true],
  ['is gone when a newer one stands in its place', 'STORE_CONFLICT', true],
  ['may still stand when the store could not be asked', 'STORE_UNAVAILABLE', false],
  ['may still stand when nobody knows whether it was deleted', 'STORE_OUTCOME_UNKNOWN', false],
] as const)('a request that is withdrawn %s', async (_, code, gone) => {
  const store = new MemoryStore();
  const { revision } = await submit(store);
  if (code !== undefined) vi.spyOn(store.config, 'delete').mockRejectedValue(new CrossfadeError(code));
  expect(await withdrawAsk(store, 'products', revision)).toBe(gone);
});
