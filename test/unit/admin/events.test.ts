import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { EventStream, type EventStreamOptions } from '../../../src/admin/events.ts';
import { createSampler, type Look, type SamplerOptions, tickMs } from '../../../src/admin/sampler.ts';
import { eventId, frameText, resumeFrom } from '../../../src/admin/sse.ts';
import { keys } from '../../../src/coordination/keys.ts';
import type { FleetStatus } from '../../../src/fleet/fleet-status.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type ManualRuntime, manualRuntime } from '../../support/manual-runtime.ts';

const fleet = { store: {}, routes: [], members: [], errors: [] } as unknown as FleetStatus;
let runtime: ManualRuntime;
let store: MemoryStore;
let looks: number;
let failing: Error | undefined;

const samplerOf = (over: Partial<SamplerOptions> = {}) =>
  createSampler({
    store,
    member: 'm1',
    now: runtime.now,
    timers: { set: (callback, ms) => runtime.after(ms, callback) },
    fleet: async () => {
      looks += 1;
      if (failing !== undefined) throw failing;
      return fleet;
    },
    ...over,
  });

beforeEach(() => {
  runtime = manualRuntime();
  store = new MemoryStore();
  looks = 0;
  failing = undefined;
});

describe('the shared sampler', () => {
  it('does nothing at all while nobody listens', async () => {
    samplerOf();
    await runtime.advance(60_000);
    expect([looks, await store.live.list('')]).toEqual([0, []]);
  });

  it('looks once for all listeners', async () => {
    const sampler = samplerOf();
    const heard: number[] = [];
    for (const factor of [1, 10])
      sampler.attach((event) => event.kind === 'look' && heard.push(factor * event.look.seq));
    await runtime.advance(tickMs);
    expect([looks, heard]).toEqual([2, [1, 10, 2, 20]]);
  });

  it('says that it watches, and stops some minutes after the last listener left', async () => {
    const sampler = samplerOf();
    const detach = sampler.attach(() => undefined);
    await runtime.settle();
    expect(await store.live.get(keys.watch('m1'))).toBeDefined();
    detach();
    await runtime.advance(60_000);
    const lingering = looks;
    await runtime.advance(3_600_000);
    expect(lingering).toBeGreaterThan(20);
    expect(looks).toBeLessThan(200);
    expect(runtime.pending()).toBe(0);
  });

  it('says on that it watches when the clock is set back', async () => {
    let behindMs = 0;
    const sampler = samplerOf({ now: () => runtime.now() - behindMs });
    sampler.attach(() => undefined);
    await runtime.advance(tickMs);
    behindMs = 3_600_000;
    await store.live.delete(keys.watch('m1'));
    await runtime.advance(3 * tickMs);
    expect(await store.live.get(keys.watch('m1'))).toBeDefined();
    sampler.close();
  });

  it('keeps a bounded past, and tells what came after a moment', async () => {
    const sampler = samplerOf();
    sampler.attach(() => undefined);
    await runtime.advance(600 * tickMs);
    expect(sampler.since(0)).toHaveLength(450);
    expect(sampler.since(600).map(({ seq }) => seq)).toEqual([601]);
  });

  it('keeps less of very many routes, so that a page that opens is not flooded', async () => {
    const bare = { copies: {}, tail: {}, verdict: null };
    const routes = Array.from({ length: 200 }, (_, i) => ({ ...bare, route: `r${i}` }));
    const many = { ...fleet, routes } as unknown as FleetStatus;
    const sampler = samplerOf({ fleet: async () => many });
    sampler.attach(() => undefined);
    await runtime.advance(200 * tickMs);
    expect(sampler.since(0)).toHaveLength(100);
  });

  it('says that what is shown is old when the store does not answer, and goes on', async () => {
    const sampler = samplerOf();
    const heard: string[] = [];
    sampler.attach((event) => heard.push(event.kind === 'look' ? 'look' : event.message));
    await runtime.settle();
    failing = new Error('out of reach');
    await runtime.advance(tickMs);
    expect(sampler.latest()).toBeUndefined();
    failing = undefined;
    await runtime.advance(tickMs);
    expect(heard).toEqual(['look', 'out of reach', 'look']);
  });
});

describe('the event stream', () => {
  const open = (over: Partial<EventStreamOptions> = {}) => {
    const sampler = samplerOf();
    const events = new EventStream({
      sampler,
      self: { member: 'm1', version: '1' },
      boot: 'b1',
      timers: { set: (callback, ms) => runtime.after(ms, callback) },
      ...over,
    });
    return { sampler, events };
  };
  const textOf = async (stream: NodeJS.ReadableStream): Promise<string> => {
    await runtime.settle();
    return String((stream as unknown as { read(): Buffer | null }).read() ?? '');
  };

  it('greets with what the client has not seen, then tells every look', async () => {
    const { events } = open();
    const first = await textOf(events.open(undefined));
    expect(first).toContain('event: hello');
    expect(first).toContain('id: b1.1\nevent: look');
    await runtime.advance(2 * tickMs);
    const resumed = await textOf(events.open('b1.2'));
    expect(JSON.parse(/^data: (.*)$/m.exec(resumed)?.[1] ?? '')).toMatchObject({
      member: 'm1',
      resumed: true,
      moments: [{ seq: 3 }],
    });
    expect(JSON.parse(/^data: (.*)$/m.exec(await textOf(events.open('other.2')))?.[1] ?? '')).toMatchObject({
      resumed: false,
      moments: [{ seq: 1 }, { seq: 2 }, { seq: 3 }],
    });
  });

  it('keeps a silent connection open by comments', async () => {
    const { events } = open({ bounds: { heartbeatMs: 500 } });
    const client = events.open(undefined);
    await textOf(client);
    await runtime.advance(1000);
    expect(await textOf(client)).toContain(': still here');
  });

  it('takes so many clients and no more, and again when one has left', async () => {
    const { events } = open({ bounds: { maxClients: 2 } });
    const [first] = [events.open(undefined), events.open(undefined)];
    expect(() => events.open(undefined)).toThrow(expect.objectContaining({ code: 'TOO_MANY_CONNECTIONS' }));
    first?.destroy();
    await delay(0);
    expect(() => events.open(undefined)).not.toThrow();
  });

  it('lets a client go that does not read, and no other', async () => {
    const { events } = open({ bounds: { maxBehindBytes: 2000 } });
    const [slow, quick] = [events.open(undefined), events.open(undefined)];
    quick?.resume();
    await runtime.advance(60 * tickMs);
    expect([slow?.destroyed, quick?.destroyed, events.clients]).toEqual([true, false, 1]);
  });

  it('ends every connection after a while, so that a token that was taken back does not live on', async () => {
    const { events } = open({ bounds: { maxLifeMs: 5000 } });
    const client = events.open(undefined);
    client.resume();
    await runtime.advance(6000);
    expect([client.writableEnded, events.clients]).toEqual([true, 0]);
  });

  it('leaves nothing running when all clients are gone and the listener closes', async () => {
    const { events, sampler } = open();
    const client = events.open(undefined);
    client.resume();
    await runtime.settle();
    events.close();
    await runtime.settle();
    sampler.close();
    expect(runtime.pending()).toBe(0);
  });
});

describe('frames', () => {
  it.each([
    ['b1.7', 7],
    ['b2.7', 0],
    ['b1.', 0],
    ['7', 0],
    [undefined, 0],
    ['b1.-7', 0],
  ])('after %s the stream goes on behind %d', (id, seq) => {
    expect(resumeFrom('b1', id)).toBe(seq);
  });

  it('resume from the id that they carry', () => {
    expect(resumeFrom('a.b-c', eventId('a.b-c', 12))).toBe(12);
  });

  it('are one line of data whatever a text holds', () => {
    const look = { seq: 1, text: 'a\n\nevent: evil\r\n' } as unknown as Look;
    expect(frameText({ event: 'look', id: 'b.1', data: look })).toBe(
      'id: b.1\nevent: look\ndata: {"seq":1,"text":"a\\n\\nevent: evil\\r\\n"}\n\n',
    );
  });
});
