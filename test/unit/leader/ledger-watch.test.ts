import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { openLedger } from '../../../src/agent/ledger.ts';
import { createJobStore, type JobStore, newWork } from '../../../src/agent/leader/job-state.ts';
import { createLedgerWatch, type LedgerWatch } from '../../../src/agent/leader/ledger-watch.ts';
import { type MemberView, type Membership, noMembers } from '../../../src/coordination/membership.ts';
import type { Heartbeat, MemberRoute } from '../../../src/coordination/records.ts';
import { ManualTime } from '../coordination/manual-time.ts';
import { MemoryBucket } from '../coordination/memory-bucket.ts';

const begun = newWork({ reign: 1, authority: 'source', epoch: 1 });

/** One member's own writes as they are, and as it last told of them. */
class Writer {
  readonly name: string;
  readonly #everyMs: number;
  counted = 0;
  leftToTail = 0;
  /** Since it has left. */
  last: Heartbeat | undefined;
  byQuery = 0;
  pending = 0;
  unanswered = 0;
  view: MemberView | undefined;

  constructor(name: string, everyMs: number) {
    this.name = name;
    this.#everyMs = everyMs;
  }

  /** A heartbeat every two seconds, out of step with the others'. */
  tick(nowMs: number): void {
    if (this.last !== undefined) return;
    if (this.view === undefined || nowMs - this.view.seenAtMs >= this.#everyMs) this.#tell(nowMs);
  }

  /** Tells of all its writes, and writes no more. */
  leave(nowMs: number): void {
    this.#tell(nowMs);
    this.last = this.view?.heartbeat;
    this.view = undefined;
  }

  #tell(nowMs: number): void {
    const line = {
      ledger: [this.counted],
      left: [this.leftToTail],
      reign: 1,
      byQuery: this.byQuery,
      pendingCopies: this.pending,
      unknownOutcomes: this.unanswered,
    } as unknown as MemberRoute;
    const heartbeat = { member: this.name, boot: `${this.name}-1`, routes: { p: line } } as unknown as Heartbeat;
    this.view = {
      member: this.name,
      revision: nowMs,
      seenAtMs: nowMs,
      heartbeat,
      unreadable: undefined,
      formerBoots: [],
      contestedAtMs: undefined,
    };
  }
}

/** A route with members that write, a leader that looks every second, and an authority that numbers all writes. */
class Fleet {
  nowMs = 0;
  numbers = 0;
  readonly writers = [new Writer('a', 2000), new Writer('b', 2100), new Writer('c', 1900)] as const;
  readonly watch: LedgerWatch;
  #nextLookMs = 0;
  grew = false;

  constructor(job: JobStore) {
    const runtime = { now: () => this.nowMs, random: () => 0, after: () => () => undefined };
    this.watch = createLedgerWatch({ slug: 'p', job, runtime, members: () => this.#view() });
  }

  /** `each`: what happens in a tenth of a second. `grew` tells whether growth was seen at any look of this time. */
  async pass(seconds: number, each: () => void = () => undefined): Promise<boolean> {
    this.grew = false;
    for (const endMs = this.nowMs + seconds * 1000; this.nowMs < endMs; this.nowMs += 100) {
      each();
      for (const writer of this.writers) writer.tick(this.nowMs);
      if (this.nowMs < this.#nextLookMs) continue;
      this.#nextLookMs = this.nowMs + 1000;
      await this.watch.look(1, () => Promise.resolve([this.numbers]));
      this.grew ||= this.watch.isGrowing();
    }
    return this.grew;
  }

  write(writer: Writer, writes: number): void {
    if (writer.last !== undefined) return;
    this.numbers += writes;
    writer.counted += writes;
  }

  #view(): Membership {
    const views = this.writers.flatMap(({ name, view }) => (view === undefined ? [] : [[name, view] as const]));
    const departed = this.writers.flatMap(({ last }) => (last === undefined ? [] : [[last.boot, last] as const]));
    return { ...noMembers, members: new Map(views), departed: new Map(departed) };
  }
}

let job: JobStore;

beforeEach(async () => {
  job = createJobStore(new MemoryBucket(new ManualTime()), 'p');
  await job.save({ work: begun });
});

describe('writes that no member accounts for', () => {
  let watch: LedgerWatch;
  const look = (numbers: number) => watch.look(1, () => Promise.resolve([numbers]));

  beforeEach(() => {
    const runtime = { now: () => 0, random: () => 0, after: () => () => undefined };
    watch = createLedgerWatch({ slug: 'p', job, runtime, members: () => noMembers });
  });

  it('are unknown before a first proof, however many the authority has taken', async () => {
    await look(12_000);
    expect(watch.unaccounted()).toBeUndefined();
  });

  it('are told from the first look after a proof on, and not before it', async () => {
    await look(12_000);
    await job.save({ work: { ...begun, ledger: openLedger(1, [12_000], []) } });
    expect(watch.unaccounted()).toBeUndefined();
    await look(12_007);
    expect(watch.unaccounted()).toBe(7);
  });

  it('are unknown again in a new reign until somebody has looked', async () => {
    await job.save({ work: { ...begun, ledger: openLedger(1, [5], []) } });
    await look(9);
    watch.forget();
    expect(watch.unaccounted()).toBeUndefined();
    expect(watch.isGrowing()).toBe(false);
  });
});

describe.each([
  ['with a ledger that a proof opened', openLedger(1, [0], [])],
  ['before a first proof', undefined],
])('growth of sequence numbers %s', (_title, ledger) => {
  let fleet: Fleet;
  const a = () => fleet.writers[0];

  beforeEach(async () => {
    await job.save({ work: { ...begun, ...(ledger === undefined ? {} : { ledger }) } });
    fleet = new Fleet(job);
  });

  it('is none when a by-query wrote it, as soon as its member has told of it', async () => {
    await fleet.pass(40);
    a().byQuery = 1;
    expect(await fleet.pass(7, () => void (fleet.numbers += 1000))).toBe(false);
    a().byQuery = 0;
    a().leftToTail += 70_000;
    expect(await fleet.pass(60)).toBe(false);
    if (ledger !== undefined) expect(fleet.watch.unaccounted()).toBe(0);
  });

  it('is none when by-queries begin and end between two reports', async () => {
    await fleet.pass(40);
    for (let n = 0; n < 20; n++) {
      fleet.numbers += 5000;
      a().leftToTail += 5000;
      expect(await fleet.pass(1.7)).toBe(false);
    }
  });

  it('is found when a foreign writer hides behind a by-query', async () => {
    await fleet.pass(20);
    a().byQuery = 1;
    await fleet.pass(4, () => void (fleet.numbers += 1001));
    a().byQuery = 0;
    a().leftToTail += 40_000;
    expect(await fleet.pass(30)).toBe(true);
  });

  it('is found for a single foreign write while nobody else writes, and forgotten after a while', async () => {
    await fleet.pass(20);
    fleet.numbers += 1;
    expect(await fleet.pass(30)).toBe(true);
    await fleet.pass(30);
    expect(fleet.watch.isGrowing()).toBe(false);
    if (ledger !== undefined) expect(fleet.watch.unaccounted()).toBe(1);
  });

  it('is found for a foreign writer of half the load, and not told of anybody else', async () => {
    await fleet.pass(40, () => fleet.write(a(), 20));
    expect(fleet.watch.isGrowing()).toBe(false);
    const both = () => {
      fleet.write(a(), 20);
      fleet.numbers += 10;
    };
    await fleet.pass(40, both);
    expect(fleet.watch.isGrowing()).toBe(true);
    expect(fleet.watch.unanswered()).toEqual([]);
  });

  it('is none when a member writes until it leaves', async () => {
    await fleet.pass(20, () => fleet.write(a(), 20));
    fleet.write(a(), 1000);
    a().leave(fleet.nowMs);
    expect(await fleet.pass(40, () => fleet.write(fleet.writers[1], 20))).toBe(false);
    if (ledger !== undefined) expect(fleet.watch.unaccounted()).toBe(0);
  });

  it('names who had requests without an answer meanwhile', async () => {
    await fleet.pass(20);
    fleet.numbers += 100;
    a().unanswered += 1;
    expect(await fleet.pass(25)).toBe(true);
    expect(fleet.watch.unanswered()).toEqual(['a']);
  });

  it('is none while copies wait for a slow follower', async () => {
    await fleet.pass(20);
    const slow = () => {
      fleet.numbers += 50;
      a().pending += 50;
    };
    expect(await fleet.pass(40, slow)).toBe(false);
  });
});

describe('own writes', () => {
  it('never show as growth nor as unaccounted, however they come and go', async () => {
    const bursts = fc.array(
      fc.record({
        seconds: fc.integer({ min: 1, max: 12 }),
        loads: fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 300 }), fc.nat({ max: 300 })),
        leaves: fc.option(fc.constantFrom(0, 1, 2)),
      }),
      { minLength: 3, maxLength: 10 },
    );
    await fc.assert(
      fc.asyncProperty(bursts, async (each) => {
        await job.save({ work: { ...begun, ledger: openLedger(1, [0], []) } });
        const fleet = new Fleet(job);
        for (const { seconds, loads, leaves } of each) {
          const load = () => fleet.writers.forEach((writer, i) => fleet.write(writer, loads[i] as number));
          if (leaves !== null) fleet.writers[leaves].leave(fleet.nowMs);
          expect(await fleet.pass(seconds, load)).toBe(false);
          expect(fleet.watch.unaccounted() ?? 0).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });
});
