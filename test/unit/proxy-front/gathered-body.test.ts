import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { GatheredBody } from '../../../src/proxy/gathered-body.ts';

afterEach(() => vi.restoreAllMocks());

const gathered = (length: number | undefined, chunks: readonly Buffer[]): GatheredBody => {
  const body = new GatheredBody(length);
  for (const chunk of chunks) body.add(chunk);
  return body;
};

describe('a gathered body', () => {
  it('is what was sent, however it came', () => {
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.array(chunk, { minLength: 1, maxLength: 40 }), fc.boolean(), (chunks, isKnown) => {
        const sent = Buffer.concat(chunks);
        const body = gathered(isKnown ? sent.length : undefined, chunks);
        expect(body.bytes).toBe(sent.length);
        expect(body.whole()).toEqual(sent);
      }),
    );
  });

  it.each([
    ['of a known length', 3],
    ['of an unknown length', undefined],
  ])('%s that came as one chunk is that chunk', (_, length) => {
    const chunk = Buffer.from('abc');
    expect(gathered(length, [chunk]).whole()).toBe(chunk);
  });

  it('of a known length lies in memory once, and reserves little before much has come', () => {
    const length = 50 << 20;
    const [first, chunk] = [Buffer.alloc(700, 'x'), Buffer.alloc(1 << 16, 'x')];
    const reserve = vi.spyOn(Buffer, 'allocUnsafe');
    const join = vi.spyOn(Buffer, 'concat');
    const body = new GatheredBody(length);
    expect(reserve).not.toHaveBeenCalled();
    while (body.bytes < length) {
      body.add(body.bytes === 0 ? first : chunk.subarray(0, length - body.bytes));
      expect(reserve.mock.lastCall?.[0]).toBeLessThanOrEqual(256 * body.bytes);
    }
    const whole = body.whole();
    expect(whole.length).toBe(length);
    expect(join).not.toHaveBeenCalled();
    const reserved = reserve.mock.calls.reduce((sum, [bytes]) => sum + bytes, 0);
    expect(reserved).toBeLessThan(1.1 * length);
  });
});
