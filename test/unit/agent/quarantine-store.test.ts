import { describe, expect, it } from 'vitest';
import { emptyQuarantine, type QuarantineRecord } from '../../../src/agent/quarantine.ts';
import { loadQuarantines, saveQuarantine, tailOwner } from '../../../src/agent/quarantine-store.ts';
import type { Bucket } from '../../../src/coordination/ports.ts';
import { MemoryBucket } from '../../support/memory-store.ts';

const at = { slug: 'products', owner: tailOwner };
const refusing = (id: string): QuarantineRecord => ({
  schema: 1,
  docs: [{ ordinal: 0, id, stamp: '7', reason: '400' }],
  overflowed: 0,
});

/** Keeps back the writes it is given, as a link does whose answers never come. */
const delaying = (bucket: Bucket) => {
  const late: (() => Promise<unknown>)[] = [];
  const through: Bucket = {
    get: (key) => bucket.get(key),
    list: (prefix) => bucket.list(prefix),
    put: (key, value) => bucket.put(key, value),
    subscribe: (listener) => bucket.subscribe(listener),
    delete: async (...args) => void late.push(() => bucket.delete(...args)),
    update: async (...args) => {
      late.push(() => bucket.update(...args));
      return { ok: false, reason: 'unknown' };
    },
  };
  return { through, arrive: () => Promise.allSettled(late.map((write) => write())) };
};

describe('a list of refused documents', () => {
  it.each<[string, QuarantineRecord]>([
    ['removal', emptyQuarantine],
    ['shorter list', refusing('early')],
  ])('is not lost to a %s that arrives late', async (_what, record) => {
    const bucket = new MemoryBucket();
    await saveQuarantine(bucket, at, refusing('first'));
    const { through, arrive } = delaying(bucket);
    await saveQuarantine(through, at, record).catch(() => undefined);
    await saveQuarantine(bucket, at, refusing('later'));
    await arrive();
    expect((await loadQuarantines(bucket, at.slug)).get(tailOwner)?.record).toEqual(refusing('later'));
  });

  it('is kept, replaced, removed when nothing is refused any more, and kept anew', async () => {
    const bucket = new MemoryBucket();
    for (const record of [refusing('a'), refusing('b'), emptyQuarantine, emptyQuarantine, refusing('c')])
      await saveQuarantine(bucket, at, record);
    expect((await loadQuarantines(bucket, at.slug)).get(tailOwner)?.record).toEqual(refusing('c'));
  });
});
