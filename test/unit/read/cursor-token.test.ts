import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Mac, unwrapCursor, wrapCursor } from '../../../src/proxy/read/cursor-token.ts';

const macOf =
  (secret: string): Mac =>
  (text) =>
    createHmac('sha256', secret).update(text).digest('base64url').slice(0, 16);
const mac = macOf('a');
const side = fc.constantFrom('source' as const, 'target' as const);
const reign = fc.integer({ min: 1, max: 255 });
const id = fc
  .oneof(fc.base64String({ minLength: 1 }), fc.string({ minLength: 1 }))
  .filter((text) => !text.startsWith('xf1.'));

describe('cursor tokens', () => {
  it('give back side, reign and id on any replica with the same key', () => {
    fc.assert(
      fc.property(id, side, reign, (raw, on, r) => {
        const token = wrapCursor(raw, { side: on, reign: r }, mac);
        expect(unwrapCursor(token, macOf('a'))).toEqual({ side: on, reign: r, id: raw });
      }),
    );
  });

  it('leave ids of the source in the first reign as the cluster made them', () => {
    expect(wrapCursor('FGlu==', { side: 'source', reign: 1 }, mac)).toBe('FGlu==');
    expect(wrapCursor('FGlu==', { side: 'source', reign: 3 }, mac)).toMatch(/^xf1\.s3\.[\w-]{16}\.FGlu==$/);
  });

  it('take an id without the prefix for one that the source issued', () => {
    expect(unwrapCursor('FGlu==', mac)).toEqual({ side: 'source', reign: 1, id: 'FGlu==' });
  });

  it.each([
    ['another key', wrapCursor('abc', { side: 'target', reign: 1 }, macOf('b'))],
    ['a changed id', `${wrapCursor('abc', { side: 'target', reign: 1 }, mac)}d`],
    ['a changed side', wrapCursor('abc', { side: 'target', reign: 2 }, mac).replace('.t2.', '.s2.')],
    ['a changed reign', wrapCursor('abc', { side: 'target', reign: 2 }, mac).replace('.t2.', '.t3.')],
    ['nothing but the prefix', 'xf1.'],
  ])('refuse %s', (_title, token) => {
    expect(unwrapCursor(token, mac)).toBeUndefined();
  });

  it('add less than 32 bytes, so that ids keep within the request line of the cluster', () => {
    expect(wrapCursor('', { side: 'target', reign: 255 }, mac).length).toBeLessThan(32);
  });
});
