import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, CopyQueue, coalesce, type Pending, type RefreshClass } from '../../../src/agent/copy-queue.ts';
import type { Copy } from '../../../src/coordination/ports.ts';

const copy = (id: string, stamp: bigint, over: Partial<Copy> = {}): Copy =>
  ({ slug: 's', ordinal: 0, id, routing: undefined, epoch: 1, reign: 1, stamp, op: 'delete', ...over }) as Copy;
const pending = (id: string, stamp: bigint, over: Partial<Copy> = {}): Pending => {
  const made = copy(id, stamp, over);
  return {
    key: id,
    copy: made,
    bytes: bytesOf(made),
    sinceMs: Number(stamp),
    attempts: 0,
    offers: [{ reign: 1, settle: () => undefined }],
  };
};
const all = { maxDocs: 100, maxBytes: 1e9 };

describe('coalescing two copies of one document', () => {
  it('keeps the higher stamp, the older age, the stronger refresh and all offers, in either order', () => {
    const older = pending('a', 5n, { refresh: 'true' });
    const newer = pending('a', 9n, { refresh: 'wait_for' });
    for (const both of [coalesce(older, newer), coalesce(newer, older)]) {
      expect(both.copy).toMatchObject({ stamp: 9n, refresh: 'true' });
      expect(both).toMatchObject({ sinceMs: 5, bytes: newer.bytes });
      expect(both.offers).toHaveLength(2);
    }
  });
});

describe('the queue of copies', () => {
  it('never hands out a document that is under way, and hands out what waited behind it after it landed', () => {
    const queue = new CopyQueue();
    queue.add(pending('a', 1n));
    const [first] = queue.take('none', all);
    queue.add(pending('a', 2n));
    expect(queue.take('none', all)).toEqual([]);
    queue.land(first as Pending);
    expect(queue.take('none', all).map((one) => one.copy.stamp)).toEqual([2n]);
  });

  it('takes batches bounded by documents and bytes, but always at least one copy', () => {
    const queue = new CopyQueue();
    for (const id of ['a', 'b', 'c']) queue.add(pending(id, 1n, { op: 'index', source: Buffer.alloc(1000) }));
    expect(queue.take('none', { maxDocs: 2, maxBytes: 1e6 })).toHaveLength(2);
    expect(queue.take('none', { maxDocs: 2, maxBytes: 1 })).toHaveLength(1);
  });

  it('keeps copies that ask for a refresh apart from those that do not', () => {
    const queue = new CopyQueue();
    queue.add(pending('a', 1n));
    queue.add(pending('b', 1n, { refresh: 'wait_for' }));
    queue.add(pending('c', 1n));
    queue.add(pending('c', 2n, { refresh: 'true' }));
    expect(queue.isReady('true')).toBe(true);
    expect(queue.take('none', all).map(({ key }) => key)).toEqual(['a']);
    expect(queue.take('wait_for', all).map(({ key }) => key)).toEqual(['b']);
    expect(queue.take('true', all).map(({ key }) => key)).toEqual(['c']);
  });

  it('sends a delayed copy again only after its release, together with a newer one that came meanwhile', () => {
    const queue = new CopyQueue();
    queue.add(pending('a', 1n));
    const [first] = queue.take('none', all);
    const key = queue.delay(first as Pending) as string;
    queue.add(pending('a', 2n));
    expect(queue.take('none', all)).toEqual([]);
    queue.release(key);
    const [again] = queue.take('none', all);
    expect(again).toMatchObject({ copy: { stamp: 2n } });
    expect(again?.offers).toHaveLength(2);
  });

  const refreshes = [undefined, 'wait_for', 'true'] as const;
  const classes: readonly RefreshClass[] = ['true', 'none', 'wait_for'];
  type Step =
    | { kind: 'add'; id: number; size: number; refresh: Copy['refresh'] }
    | { kind: 'take'; from: RefreshClass; docs: number }
    | { kind: 'land' | 'delay' | 'release'; pick: number };
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      id: fc.nat(4),
      size: fc.nat(50),
      refresh: fc.constantFrom(...refreshes),
    }),
    fc.record({
      kind: fc.constant('take' as const),
      from: fc.constantFrom(...classes),
      docs: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({ kind: fc.constantFrom('land' as const, 'delay' as const, 'release' as const), pick: fc.nat() }),
  );

  it('loses no offer, never has a document twice under way, and accounts for every byte, in any order of events', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new CopyQueue();
        const flying: Pending[] = [];
        const waiting: string[] = [];
        let stamp = 0n;
        let offered = 0;
        let settled = 0;
        const landOne = (one: Pending) => {
          settled += one.offers.length;
          queue.land(one);
        };
        const pickFlying = (pick: number) => flying.splice(pick % Math.max(1, flying.length), 1)[0];
        for (const event of steps) {
          if (event.kind === 'add') {
            offered++;
            const { refresh } = event;
            queue.add(pending(`d${event.id}`, ++stamp, { op: 'index', source: Buffer.alloc(event.size), refresh }));
          } else if (event.kind === 'take')
            flying.push(...queue.take(event.from, { maxDocs: event.docs, maxBytes: 1e9 }));
          else if (event.kind === 'release') {
            const key = waiting.shift();
            if (key !== undefined) queue.release(key);
          } else {
            const one = pickFlying(event.pick);
            if (one === undefined) continue;
            if (event.kind === 'land') landOne(one);
            else waiting.push(queue.delay(one) as string);
          }
          expect(new Set(flying.map(({ key }) => key)).size).toBe(flying.length);
        }
        for (let round = 0; queue.size > 0 && round < 100; round++) {
          for (const key of waiting.splice(0)) queue.release(key);
          for (const one of flying.splice(0)) landOne(one);
          for (const kind of classes) flying.push(...queue.take(kind, all));
        }
        const { size, bytes, queuedBytes } = queue;
        expect({ settled, size, bytes, queuedBytes }).toEqual({ settled: offered, size: 0, bytes: 0, queuedBytes: 0 });
      }),
    );
  });
});
