import { describe, expect, it } from 'vitest';
import { Slots } from '../../../src/proxy/shadow/slots.ts';

const gate = () => {
  let open = (): void => undefined;
  const closed = new Promise<void>((resolve) => (open = resolve));
  return { closed, open };
};

describe('a place for requests', () => {
  it('is given while there is one', () => {
    const slots = new Slots(() => undefined);
    expect([slots.take(2), slots.take(2), slots.take(2)]).toEqual([true, true, false]);
    slots.leave();
    expect([slots.free(2), slots.take(2), slots.free(2)]).toEqual([1, true, 0]);
  });

  it('is free for others while its holder rests, and the holder is first to get the next one', async () => {
    const log: string[] = [];
    const slots = new Slots(() => void log.push('freed'));
    const { closed, open } = gate();
    slots.take(1);
    const rested = slots.rest(() => closed).then(() => log.push('back'));
    expect([log, slots.resting, slots.take(1)]).toEqual([['freed'], 1, true]);
    open();
    await closed;
    expect(slots.free(1)).toBe(0);
    slots.leave();
    await rested;
    expect([log, slots.resting, slots.free(1)]).toEqual([['freed', 'back'], 0, 0]);
  });

  it('is taken back at once when there is one, also after a rest that failed', async () => {
    const slots = new Slots(() => undefined);
    slots.take(1);
    await expect(slots.rest(() => Promise.reject(new Error('stopped')))).rejects.toThrow('stopped');
    expect([slots.free(1), slots.resting]).toEqual([0, 0]);
  });

  it('is kept by those who rest beyond a bounded number', async () => {
    const slots = new Slots(() => undefined);
    const { closed, open } = gate();
    const rests = Array.from({ length: 5 }, () => (slots.take(1) ? slots.rest(() => closed) : undefined));
    expect([rests.includes(undefined), slots.resting, slots.free(1)]).toEqual([false, 4, 0]);
    open();
    for (let i = 0; i < 5; i++) {
      await closed;
      await new Promise((resolve) => setImmediate(resolve));
      slots.leave();
    }
    await Promise.all(rests);
    expect([slots.resting, slots.free(1)]).toEqual([0, 1]);
  });
});
