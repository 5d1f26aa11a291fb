/** What every implementation of the Store port must do. Run against each of them by its own test file. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { casAndConfirm } from '../../../src/coordination/cas.ts';
import type { Bucket, Change, Chunk, ChunkDelivery, Store } from '../../../src/coordination/ports.ts';
import { isCrossfadeError } from '../../../src/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { uniqueName } from '../../support/services.ts';

export type StoreUnderTest = {
  /** Another process's view of the same store; live entries expire after `liveTtlMs`. */
  open: () => Promise<Store>;
  liveTtlMs: number;
  ackWaitMs: number;
  /** Several stores share one work queue. */
  sharedQueue: boolean;
  /** Removes what the store left behind. */
  dispose: () => Promise<void>;
};

const record = (bucket: Bucket): { changes: Change[]; stop: () => void; last: (key: string) => Change | undefined } => {
  const changes: Change[] = [];
  const stop = bucket.subscribe((change) => changes.push(change));
  return { changes, stop, last: (key) => changes.findLast((change) => change.key === key) };
};

export const testStore = (name: string, prepare: () => Promise<StoreUnderTest>): void => {
  describe(name, () => {
    let under: StoreUnderTest;
    let one: Store;
    let other: Store;
    const key = (): string => `rt.${uniqueName('k')}.pct.read`;

    beforeAll(async () => {
      under = await prepare();
      one = await under.open();
      other = await under.open();
    });
    afterAll(async () => {
      await one?.close();
      await other?.close();
      await under?.dispose();
    });

    describe('values', () => {
      it.each([['25'], ['25\n'], [''], [' '], ['\u0000'], ['{"a":"ü€😀"}'], ['\uFEFF25'], ['x'.repeat(100_000)]])(
        'come back byte for byte: %j',
        async (value) => {
          const k = key();
          const revision = await one.config.put(k, value);
          const entry = { key: k, value, revision };
          expect(await other.config.get(k)).toEqual(entry);
          expect(await other.config.list(k)).toEqual([entry]);
        },
      );

      it('are absent before they were written', async () => {
        expect(await one.config.get(key())).toBeUndefined();
      });

      it('get growing revisions over the whole bucket', async () => {
        const [a, b] = [key(), key()];
        const revisions = [await one.config.put(a, '1'), await other.config.put(b, '1'), await one.config.put(a, '2')];
        expect([...revisions].sort((x, y) => x - y)).toEqual(revisions);
        expect(new Set(revisions).size).toBe(3);
      });
    });

    it('tells a new subscriber of a deletion, which no listing shows', async () => {
      const k = key();
      await one.config.put(k, '1');
      await other.config.delete(k);
      const late = await under.open();
      const early = record(late.config);
      await late.config.list(k);
      const after = record(late.config);
      await eventually(() => early.last(k) !== undefined && after.last(k) !== undefined);
      expect([early.last(k), after.last(k)]).toMatchObject([{ value: undefined }, { value: undefined }]);
      early.stop();
      after.stop();
      await late.close();
    });

    describe('compare-and-set', () => {
      it('creates a key once', async () => {
        const k = key();
        expect(await one.config.update(k, 'a', 0)).toEqual({ ok: true, revision: expect.any(Number) });
        expect(await other.config.update(k, 'b', 0)).toEqual({ ok: false, reason: 'conflict' });
        expect((await one.config.get(k))?.value).toBe('a');
      });

      it('follows the revision it names, and no other', async () => {
        const k = key();
        const first = await one.config.put(k, 'a');
        const second = await other.config.update(k, 'b', first);
        expect(second).toMatchObject({ ok: true });
        expect(await one.config.update(k, 'c', first)).toEqual({ ok: false, reason: 'conflict' });
        expect(await one.config.update(k, 'c', 999_999)).toEqual({ ok: false, reason: 'conflict' });
        expect((await one.config.get(k))?.value).toBe('b');
      });

      it('shows the present value at once to whoever has just lost', async () => {
        const k = key();
        const first = await one.config.put(k, 'a');
        await other.config.get(k);
        await one.config.put(k, 'b');
        expect(await other.config.update(k, 'c', first)).toEqual({ ok: false, reason: 'conflict' });
        expect((await other.config.get(k))?.value).toBe('b');
      });

      it('does not write to a key that does not exist', async () => {
        const k = key();
        expect(await one.config.update(k, 'a', 3)).toEqual({ ok: false, reason: 'conflict' });
        expect(await one.config.get(k)).toBeUndefined();
      });

      it('creates a deleted key again, with a higher revision', async () => {
        const k = key();
        const first = await one.config.put(k, 'a');
        await one.config.delete(k);
        expect(await other.config.update(k, 'b', first)).toEqual({ ok: false, reason: 'conflict' });
        const again = await other.config.update(k, 'b', 0);
        expect(again.ok && again.revision).toBeGreaterThan(first);
        expect((await one.config.get(k))?.value).toBe('b');
      });

      it('has exactly one winner among rivals, round after round', async () => {
        const k = key();
        let revision = 0;
        for (let round = 0; round < 25; round++) {
          const rivals = [...Array(10).keys()].map((i) =>
            (i % 2 ? one : other).config.update(k, `${round}.${i}`, revision),
          );
          const results = await Promise.all(rivals);
          const winners = results.flatMap((result, i) => (result.ok ? [{ i, revision: result.revision }] : []));
          expect(winners).toHaveLength(1);
          expect(results.filter((result) => !result.ok && result.reason === 'conflict')).toHaveLength(9);
          expect(await one.config.get(k)).toEqual({
            key: k,
            value: `${round}.${winners[0]?.i}`,
            revision: winners[0]?.revision,
          });
          revision = winners[0]?.revision ?? 0;
        }
      });

      it('loses no increment of a counter that many raise', async () => {
        const k = key();
        await one.config.put(k, '0');
        const raise = async (store: Store): Promise<void> => {
          for (let done = 0; done < 10;) {
            const entry = await store.config.get(k);
            const next = `${Number(entry?.value) + 1}`;
            if ((await store.config.update(k, next, entry?.revision ?? 0)).ok) done++;
          }
        };
        await Promise.all([raise(one), raise(other), raise(one), raise(other)]);
        expect((await one.config.get(k))?.value).toBe('40');
      });

      it('confirmed, answers as plainly as without trouble', async () => {
        const k = key();
        const patience = { now: () => performance.now(), deadlineMs: performance.now() + 5_000 };
        expect(await casAndConfirm(one.config, { key: k, value: 'a', expected: 0 }, patience)).toMatchObject({
          ok: true,
        });
        expect(await casAndConfirm(one.config, { key: k, value: 'b', expected: 0 }, patience)).toEqual({
          ok: false,
          reason: 'conflict',
        });
      });
    });

    describe('deleting', () => {
      it('makes a key absent to everybody', async () => {
        const k = key();
        await one.config.put(k, 'a');
        await one.config.delete(k);
        expect(await other.config.get(k)).toBeUndefined();
        expect(await other.config.list(k)).toEqual([]);
      });

      it('under a revision is refused once somebody else has written', async () => {
        const k = key();
        const first = await one.config.put(k, 'a');
        const second = await other.config.put(k, 'b');
        await expect(one.config.delete(k, first)).rejects.toSatisfy((error) =>
          isCrossfadeError(error, 'STORE_CONFLICT'),
        );
        expect((await one.config.get(k))?.value).toBe('b');
        await one.config.delete(k, second);
        expect(await one.config.get(k)).toBeUndefined();
      });
    });

    describe('listing', () => {
      it('gives the living keys under a prefix, also one that ends within a token', async () => {
        const slug = uniqueName('s');
        await one.config.put(`rt.${slug}.pct.read`, '1');
        await one.config.put(`rt.${slug}.pct.shadow`, '2');
        await one.config.put(`rt.${slug}.phase`, '3');
        await one.config.put(`rt.${slug}.stop`, '4');
        await one.config.delete(`rt.${slug}.stop`);
        const names = async (prefix: string) => (await other.config.list(prefix)).map((entry) => entry.key).sort();
        expect(await names(`rt.${slug}.`)).toEqual([
          `rt.${slug}.pct.read`,
          `rt.${slug}.pct.shadow`,
          `rt.${slug}.phase`,
        ]);
        expect(await names(`rt.${slug}.p`)).toHaveLength(3);
        expect(await names(`rt.${slug}.pct`)).toHaveLength(2);
        expect(await names(`rt.${slug}.nothing`)).toEqual([]);
      });

      it('sees at once what was written before it began', async () => {
        const k = key();
        for (let i = 0; i < 20; i++) {
          await one.config.put(k, `${i}`);
          const [listed] = await Promise.all([other.config.list(k), other.config.list('rt.')]);
          expect(listed[0]?.value).toBe(`${i}`);
        }
      });
    });

    describe('subscribing', () => {
      it('tells of writes of others and of oneself, and of deletions', async () => {
        const k = key();
        const mine = record(one.config);
        const theirs = record(other.config);
        const revision = await one.config.put(k, 'a');
        await eventually(() => mine.last(k)?.value === 'a' && theirs.last(k)?.value === 'a');
        expect(theirs.last(k)).toEqual({ key: k, value: 'a', revision });
        await other.config.delete(k);
        await eventually(() => mine.last(k)?.value === undefined && theirs.last(k)?.value === undefined);
        expect(theirs.last(k)).not.toHaveProperty('expired');
        expect(theirs.last(k)?.revision).toBeGreaterThan(revision);
        mine.stop();
        theirs.stop();
      });

      it('ends with the last value, whatever was passed over, and never goes back per key', async () => {
        const k = key();
        const seen = record(other.config);
        for (let i = 0; i <= 200; i++) await one.config.put(k, `${i}`);
        await eventually(() => seen.last(k)?.value === '200');
        const revisions = seen.changes.filter((change) => change.key === k).map((change) => change.revision);
        expect([...revisions].sort((a, b) => a - b)).toEqual(revisions);
        seen.stop();
      });

      it('ends when it is told to', async () => {
        const [k, marker] = [key(), key()];
        const stopped = record(other.config);
        const running = record(other.config);
        stopped.stop();
        await one.config.put(k, 'a');
        await one.config.put(marker, 'a');
        await eventually(() => running.last(marker));
        expect(stopped.changes.filter((change) => [k, marker].includes(change.key))).toEqual([]);
        running.stop();
      });
    });

    describe('the live bucket', () => {
      it('is apart from the lasting one', async () => {
        const k = key();
        await one.live.put(k, 'a');
        expect(await one.config.get(k)).toBeUndefined();
        expect((await other.live.get(k))?.value).toBe('a');
      });

      it('forgets a value that nobody renewed, tells so, and lets the key be created again', async () => {
        const k = `lease.leader.${uniqueName('l')}`;
        const seen = record(other.live);
        const first = await one.live.update(k, 'a', 0);
        await eventually(() => seen.last(k)?.value === 'a');
        expect(await other.live.update(k, 'b', 0)).toEqual({ ok: false, reason: 'conflict' });
        await eventually(async () => (await other.live.get(k)) === undefined);
        await eventually(() => seen.last(k)?.expired === true);
        expect(await other.live.list(k)).toEqual([]);
        expect(await one.live.update(k, 'c', first.ok ? first.revision : 0)).toEqual({ ok: false, reason: 'conflict' });
        expect(await other.live.update(k, 'b', 0)).toMatchObject({ ok: true });
        seen.stop();
      });

      it('keeps a value that is renewed', async () => {
        const k = `hb.${uniqueName('m')}`;
        const endAt = performance.now() + under.liveTtlMs * 2;
        let beats = 0;
        await eventually(
          async () => {
            await one.live.put(k, `${beats++}`);
            expect(await other.live.get(k)).toBeDefined();
            return performance.now() > endAt;
          },
          { everyMs: under.liveTtlMs / 5 },
        );
        expect(beats).toBeGreaterThan(5);
      });
    });

    describe('status', () => {
      it('says that all is well and which incarnation the store is', async () => {
        await eventually(() => one.status().connected && other.status().connected);
        expect(one.status()).toMatchObject({ alarm: undefined, incarnation: expect.any(String) });
        expect(other.status().incarnation).toBe(one.status().incarnation);
      });
    });

    describe('the work queue', () => {
      const chunk = (fromSeq: number): Chunk => ({ index: 0, shard: 1, fromSeq, toSeq: fromSeq + 9 });
      const take = async (store: Store, slug: string): Promise<ChunkDelivery> => {
        const delivery = await store.workQueue(slug).next(5_000);
        if (delivery === undefined) throw new Error('no chunk came');
        return delivery;
      };

      it('is empty before anything was added', async () => {
        const slug = uniqueName('q');
        expect(await one.workQueue(slug).remaining()).toBe(0);
        await one.workQueue(slug).purge(await one.workQueue(slug).mark());
        expect(await one.workQueue(slug).next(10)).toBeUndefined();
      });

      it('hands out each chunk once and counts what is not acknowledged', async () => {
        const slug = uniqueName('q');
        const helper = under.sharedQueue ? other : one;
        await one.workQueue(slug).add([0, 10, 20, 30].map(chunk));
        expect(await helper.workQueue(slug).remaining()).toBe(4);
        const seen: number[] = [];
        for (const store of [one, helper, one, helper]) {
          const delivery = await take(store, slug);
          seen.push(delivery.chunk.fromSeq);
          expect(delivery.deliveries).toBe(1);
          await delivery.ack();
        }
        expect(seen.sort((a, b) => a - b)).toEqual([0, 10, 20, 30]);
        await eventually(async () => (await one.workQueue(slug).remaining()) === 0);
        expect(await one.workQueue(slug).next(10)).toBeUndefined();
      });

      it('gives a chunk to somebody else when its taker falls silent, and not while there are signs of life', async () => {
        const slug = uniqueName('q');
        await one.workQueue(slug).add([chunk(0)]);
        const silent = await take(one, slug);
        const endAt = performance.now() + under.ackWaitMs * 2;
        await eventually(
          async () => {
            silent.working();
            expect(await one.workQueue(slug).remaining()).toBe(1);
            return performance.now() > endAt;
          },
          { everyMs: under.ackWaitMs / 4 },
        );
        const again = await take(under.sharedQueue ? other : one, slug);
        expect(again).toMatchObject({ chunk: chunk(0), deliveries: 2 });
        await again.ack();
        await eventually(async () => (await one.workQueue(slug).remaining()) === 0);
      });

      it('gives a chunk again soon when its taker asks for that', async () => {
        const slug = uniqueName('q');
        await one.workQueue(slug).add([chunk(0)]);
        await (await take(one, slug)).retry(10);
        const again = await take(one, slug);
        expect(again.deliveries).toBe(2);
        await again.ack();
      });

      it('can be emptied and filled again with the same chunks', async () => {
        const slug = uniqueName('q');
        await one.workQueue(slug).add([0, 10].map(chunk));
        await one.workQueue(slug).purge(await one.workQueue(slug).mark());
        expect(await one.workQueue(slug).remaining()).toBe(0);
        await one.workQueue(slug).add([0, 10].map(chunk));
        expect(await one.workQueue(slug).remaining()).toBe(2);
        await one.workQueue(slug).purge(await one.workQueue(slug).mark());
      });

      it('keeps what somebody else has added since the mark', async () => {
        if (!under.sharedQueue) return;
        const slug = uniqueName('q');
        await one.workQueue(slug).add([chunk(0)]);
        const mark = await one.workQueue(slug).mark();
        await other.workQueue(slug).add([chunk(10)]);
        await one.workQueue(slug).purge(mark);
        expect((await take(one, slug)).chunk).toEqual(chunk(10));
        expect(await one.workQueue(slug).remaining()).toBe(1);
      });
    });
  });
};
