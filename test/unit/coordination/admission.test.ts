import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAdmission } from '../../../src/coordination/admission.ts';
import type { RouteState, RouteStates, Ticket } from '../../../src/coordination/ports.ts';
import { defaultPercents, initialPhase, type PhaseRecord } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { isCrossfadeError } from '../../../src/errors.ts';
import { ManualTime } from './manual-time.ts';

const spec = (maxHeldRequests = 100): RouteSpec =>
  RouteSpec.parse({ route: 'products', indices: [{ source: 'p1', target: 'p2' }], cutover: { maxHeldRequests } });
const hold = { to: 'target', rehearsal: false, budgetMs: 2_000, graceMs: 3_000 } as const;
const at = (phaseRevision: number, phase: Partial<PhaseRecord> = {}, maxHeld?: number): RouteStates => {
  const state: RouteState = {
    slug: 'products',
    spec: spec(maxHeld),
    specRevision: 1,
    phase: { ...initialPhase, phase: 'dual', epoch: phaseRevision, ...phase },
    phaseRevision,
    percent: defaultPercents,
    stop: false,
    rate: undefined,
    errors: [],
  };
  return new Map([['products', state]]);
};
const held = (phaseRevision: number, maxHeld?: number) => at(phaseRevision, { hold }, maxHeld);

const setUp = (states: RouteStates = at(1)) => {
  const time = new ManualTime();
  const drained: number[] = [];
  const ends: string[] = [];
  const admission = createAdmission({
    now: time.now,
    timers: time.timers,
    onDrained: () => drained.push(admission.report('products')?.phaseRevision ?? -1),
    onHeldEnd: (_, end, waitedMs) => ends.push(`${end} ${waitedMs}`),
  });
  admission.apply(states);
  const write = () => admission.admit('products', 'write');
  const outcome = (admitted: Promise<Ticket>) =>
    admitted.then(
      (ticket) => ticket.state.phaseRevision,
      (error: { code: string }) => error.code,
    );
  return { time, admission, drained, ends, write, outcome };
};

describe('an open route', () => {
  it('admits at once, under the state it is in', async () => {
    const { admission, write } = setUp();
    const ticket = await write();
    expect(ticket.state).toBe((await write()).state);
    expect(ticket.state.phaseRevision).toBe(1);
    expect(admission.report('products')).toMatchObject({ inFlight: 2, held: false, drained: true, byQuery: 0 });
  });

  it('counts a ticket once, however often it is done', async () => {
    const { admission, write } = setUp();
    const [one, two] = [await write(), await write()];
    one.done();
    one.done();
    one.done();
    expect(admission.report('products')?.inFlight).toBe(1);
    two.done();
    expect(admission.report('products')?.inFlight).toBe(0);
  });

  it('counts by-query requests apart as well', async () => {
    const { admission, write } = setUp();
    await write();
    const query = await admission.admit('products', 'by_query');
    expect(admission.report('products')).toMatchObject({ inFlight: 2, byQuery: 1 });
    query.done();
    expect(admission.report('products')).toMatchObject({ inFlight: 1, byQuery: 0 });
  });

  it('gives new settings to new tickets without asking anybody to drain', async () => {
    const { admission, write, drained } = setUp();
    await write();
    const changed: RouteStates = new Map([...at(1)].map(([slug, state]) => [slug, { ...state, stop: true }]));
    admission.apply(changed);
    expect((await write()).state.stop).toBe(true);
    expect(admission.report('products')?.drained).toBe(true);
    expect(drained).toEqual([]);
  });

  it('refuses a route that was never applied, as not sent', async () => {
    const { admission } = setUp();
    const refused = admission.admit('unknown', 'write');
    await expect(refused).rejects.toSatisfy((error) => isCrossfadeError(error, 'NOT_READY') && error.notSent);
    expect(admission.report('unknown')).toBeUndefined();
  });

  it('keeps serving tickets of a route that vanished, under its last state', async () => {
    const { admission, write } = setUp();
    admission.apply(new Map());
    expect((await write()).state.phaseRevision).toBe(1);
  });
});

describe('draining', () => {
  it('ends when the last ticket of an earlier phase record is done, and says so once', async () => {
    const { admission, drained, write } = setUp();
    const [one, two] = [await write(), await write()];
    admission.apply(at(2));
    const later = await write();
    expect(admission.report('products')).toMatchObject({ drained: false, inFlight: 3 });
    one.done();
    expect(drained).toEqual([]);
    two.done();
    expect(drained).toEqual([2]);
    expect(admission.report('products')).toMatchObject({ drained: true, inFlight: 1 });
    later.done();
    expect(drained).toEqual([2]);
  });

  it('is reported at once when nothing was under way', () => {
    const { admission, drained } = setUp();
    admission.apply(held(2));
    expect(drained).toEqual([2]);
  });

  it('waits for every earlier record, not for the last one only', async () => {
    const { admission, drained, write } = setUp();
    const first = await write();
    admission.apply(at(2));
    const second = await write();
    admission.apply(at(3));
    second.done();
    expect(admission.report('products')?.drained).toBe(false);
    first.done();
    expect(drained).toEqual([3]);
  });
});

describe('a held route', () => {
  it('queues writes and lets them through in order, under the new state', async () => {
    const { admission, time, write, ends } = setUp();
    admission.apply(held(2));
    const order: number[] = [];
    const waiting = [0, 1, 2].map(async (i) => {
      const ticket = await write();
      order.push(i);
      return ticket;
    });
    await time.advance(40);
    expect(admission.report('products')).toMatchObject({ held: true, heldRequests: 3, inFlight: 0, drained: true });
    admission.apply(at(3, { phase: 'target', reign: 2 }));
    const tickets = await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2]);
    expect(tickets.map((ticket) => ticket.state.phase.phase)).toEqual(['target', 'target', 'target']);
    expect(admission.report('products')).toMatchObject({ held: false, heldRequests: 0, inFlight: 3, drained: true });
    expect(ends).toEqual(['released 40', 'released 40', 'released 40']);
    expect(time.pending).toBeLessThanOrEqual(1);
  });

  it('refuses what does not fit into the queue, as not sent', async () => {
    const { admission, write, outcome } = setUp();
    admission.apply(held(2, 2));
    const outcomes = [write(), write(), write()].map(outcome);
    expect(await outcomes[2]).toBe('HOLD_QUEUE_FULL');
    admission.apply(at(3));
    expect(await Promise.all(outcomes)).toEqual([3, 3, 'HOLD_QUEUE_FULL']);
  });

  it('ends every wait at budget and grace after this member saw the hold, and refuses from then on', async () => {
    const { admission, time, write, outcome } = setUp();
    admission.apply(held(2));
    await time.advance(1_000);
    const early = outcome(write());
    await time.advance(3_999);
    const late = outcome(write());
    expect(admission.report('products')?.heldRequests).toBe(2);
    await time.advance(1);
    expect(await Promise.all([early, late])).toEqual(['HOLD_TIMEOUT', 'HOLD_TIMEOUT']);
    expect(await outcome(write())).toBe('HOLD_TIMEOUT');
    admission.apply(at(3));
    expect(await outcome(write())).toBe(3);
  });

  it('that follows another hold does not lengthen the wait of those queued before', async () => {
    const { admission, time, write, outcome } = setUp();
    admission.apply(held(2));
    const first = outcome(write());
    await time.advance(4_000);
    admission.apply(held(4));
    const second = outcome(write());
    await time.advance(1_000);
    expect(await first).toBe('HOLD_TIMEOUT');
    expect(admission.report('products')?.heldRequests).toBe(1);
    admission.apply(at(5));
    expect(await second).toBe(5);
  });

  it('with a shorter deadline than the one before is obeyed by those who come under it', async () => {
    const { admission, time, write, outcome } = setUp();
    admission.apply(held(2));
    const patient = outcome(write());
    admission.apply(at(4, { hold: { ...hold, budgetMs: 50, graceMs: 50 } }));
    const impatient = outcome(write());
    await time.advance(100);
    expect(await impatient).toBe('HOLD_TIMEOUT');
    await time.advance(5_000);
    expect(await patient).toBe('HOLD_TIMEOUT');
  });

  it('forgets a queued request whose client left, and its place is free again', async () => {
    const { admission, write, outcome, ends } = setUp();
    admission.apply(held(2, 1));
    const client = new AbortController();
    const left = outcome(admission.admit('products', 'write', client.signal));
    client.abort();
    expect(await left).toBe('CLIENT_CLOSED');
    const next = outcome(write());
    admission.apply(at(3));
    expect(await next).toBe(3);
    expect(ends).toEqual(['client_closed 0', 'released 0']);
    expect(await outcome(admission.admit('products', 'write', client.signal))).toBe(3);
  });

  it('does not queue a request whose client has left already', async () => {
    const { admission, outcome } = setUp(held(2));
    expect(await outcome(admission.admit('products', 'write', AbortSignal.abort()))).toBe('CLIENT_CLOSED');
    expect(admission.report('products')?.heldRequests).toBe(0);
  });

  it('holds from the first state on when the member starts in the middle of a switch', async () => {
    const { admission, outcome, write } = setUp(held(2));
    const waiting = outcome(write());
    expect(admission.report('products')).toMatchObject({ held: true, heldRequests: 1 });
    admission.apply(at(3));
    expect(await waiting).toBe(3);
  });
});

describe('waiting for a newer record', () => {
  it('ends at once when it is there, with it when it comes, and with false at the time-out', async () => {
    const { admission, time } = setUp(at(5));
    expect(await admission.awaitNewer('products', 4, 1_000)).toBe(true);
    const coming = admission.awaitNewer('products', 5, 1_000);
    const missing = admission.awaitNewer('products', 9, 1_000);
    const stranger = admission.awaitNewer('other', 0, 1_000);
    admission.apply(at(6));
    expect(await coming).toBe(true);
    await time.advance(1_000);
    expect(await Promise.all([missing, stranger])).toEqual([false, false]);
    expect(time.pending).toBe(0);
  });
});

describe('whatever happens', () => {
  it('every request ends by budget and grace, none runs under a held state, and the counts come out even', async () => {
    const step = fc.oneof(
      fc.constant({ kind: 'admit' } as const),
      fc.constant({ kind: 'done' } as const),
      fc.constant({ kind: 'hold' } as const),
      fc.constant({ kind: 'open' } as const),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 4_000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { admission, time } = setUp(at(1, {}, 5));
        const tickets: Ticket[] = [];
        const ended: { waitedMs: number }[] = [];
        let asked = 0;
        let revision = 1;
        const admit = (): void => {
          const askedAtMs = time.nowMs;
          asked += 1;
          const end = () => ended.push({ waitedMs: time.nowMs - askedAtMs });
          admission.admit('products', 'write').then((ticket) => {
            expect(ticket.state.phase.hold).toBeUndefined();
            tickets.push(ticket);
            end();
          }, end);
        };
        for (const { kind, ...rest } of steps) {
          if (kind === 'admit') admit();
          if (kind === 'done') tickets.pop()?.done();
          if (kind === 'hold') admission.apply(held(++revision, 5));
          if (kind === 'open') admission.apply(at(++revision, {}, 5));
          await time.advance('ms' in rest ? rest.ms : 0);
        }
        await time.advance(5_000);
        expect(ended).toHaveLength(asked);
        for (const { waitedMs } of ended) expect(waitedMs).toBeLessThanOrEqual(5_000);
        expect(admission.report('products')?.inFlight).toBe(tickets.length);
        for (const ticket of tickets) ticket.done();
        expect(admission.report('products')).toMatchObject({ inFlight: 0, heldRequests: 0, drained: true });
      }),
      { numRuns: 60 },
    );
  });
});
