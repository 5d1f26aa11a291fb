import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { chooseSide, type SideQuestion } from '../../../src/proxy/read/choose-side.ts';
import { keyText, stickyKey } from '../../../src/proxy/read/sticky-key.ts';
import { routeState } from '../../support/routes.ts';

const stateWith = (reads: object = {}, phase: RouteState['phase']['phase'] = 'dual'): RouteState => {
  const state = routeState({ phase });
  return { ...state, spec: RouteSpec.parse({ ...state.spec, reads }) };
};
const usual = stateWith();
const question = (over: Partial<SideQuestion> = {}): SideQuestion => ({
  state: usual,
  followerPercent: 100,
  followerIsFilled: true,
  key: { source: 'principal', value: 'alice' },
  principal: 'alice',
  pin: undefined,
  random: 0.5,
  ...over,
});
const canary = { allow: ['alice', 'both'], deny: ['both', 'bob'] };
const key = (value: string) => ({ source: 'header:x-tenant', value });

describe('the side of a read', () => {
  it.each<[string, Partial<SideQuestion>, string, string]>([
    ['at 100 % the follower', {}, 'target', 'percent'],
    ['at 0 % the authority', { followerPercent: 0 }, 'source', 'single_side'],
    ['after a cutover the follower is the source', { state: stateWith({}, 'target') }, 'source', 'percent'],
    ['in observe there is no follower', { state: stateWith({}, 'observe') }, 'source', 'single_side'],
    ['before the follower is filled the authority', { followerIsFilled: false }, 'source', 'backfill'],
    [
      'a listed user stays until the follower is filled',
      { followerIsFilled: false, state: stateWith(canary) },
      'source',
      'backfill',
    ],
    ['in final there is no follower', { state: stateWith({}, 'final') }, 'target', 'single_side'],
    ['a pin wins over the percentage', { pin: 'tokens' }, 'source', 'tokens'],
    ['a pin wins over the allow list', { pin: 'version', state: stateWith(canary) }, 'source', 'version'],
    [
      'a listed user goes over at any percentage',
      { state: stateWith(canary), followerPercent: 0.001 },
      'target',
      'allowed',
    ],
    ['a listed user stays at 0 %', { state: stateWith(canary), followerPercent: 0 }, 'source', 'single_side'],
    [
      'a listed key counts like a listed user',
      { state: stateWith(canary), key: key('alice'), principal: undefined, followerPercent: 1 },
      'target',
      'allowed',
    ],
    ['a denied user stays at 100 %', { state: stateWith(canary), principal: 'bob', key: key('t') }, 'source', 'denied'],
    [
      'denial beats permission',
      { state: stateWith(canary), key: key('both'), principal: undefined },
      'source',
      'denied',
    ],
    ['without a key the authority', { key: undefined, principal: undefined }, 'source', 'no_key'],
    [
      'without a key by chance, when the route says so',
      { key: undefined, principal: undefined, state: stateWith({ missingKey: 'random' }), followerPercent: 51 },
      'target',
      'percent',
    ],
    [
      'without a key by chance, above the percentage',
      { key: undefined, principal: undefined, state: stateWith({ missingKey: 'random' }), followerPercent: 50 },
      'source',
      'percent',
    ],
  ])('%s', (_title, over, side, reason) => {
    expect(chooseSide(question(over))).toEqual({ side, reason });
  });

  it('only gains keys when the percentage grows, in steps of a thousandth', () => {
    const percent = fc.integer({ min: 0, max: 100_000 }).map((n) => n / 1000);
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), percent, percent, (value, a, b) => {
        const on = (followerPercent: number) =>
          chooseSide(question({ key: key(value), principal: undefined, followerPercent })).side;
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        if (on(low) === 'target') expect(on(high)).toBe('target');
      }),
    );
  });

  it('takes about the share of keys that the percentage says', () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => key(`tenant-${i}`));
    for (const followerPercent of [1, 25, 50, 99]) {
      const gone = keys.filter(
        (one) => chooseSide(question({ key: one, principal: undefined, followerPercent })).side === 'target',
      );
      const expected = (keys.length * followerPercent) / 100;
      const deviation = Math.sqrt(expected * (1 - followerPercent / 100));
      expect(Math.abs(gone.length - expected)).toBeLessThan(5 * deviation);
    }
  });

  it('depends on the salt, so that two routes do not move the same users first', () => {
    const first = (salt: string) => {
      const state = stateWith({ salt });
      return Array.from({ length: 200 }, (_, i) => `u${i}`).filter(
        (value) =>
          chooseSide(question({ key: key(value), principal: undefined, followerPercent: 10, state })).side === 'target',
      );
    };
    expect(first('a')).not.toEqual(first('b'));
  });
});

describe('the sticky key', () => {
  const head = {
    method: 'GET',
    path: '/i/_search',
    query: 'routing=r+1&preference=p',
    headers: { 'x-tenant': 't1', 'x-empty': '' },
  };
  const caller = { principal: 'alice', connection: 'c1' };
  it.each<[string, string[], string | undefined]>([
    ['a header, whatever its case in the route', ['header:X-Tenant'], 'header:X-Tenant=t1'],
    ['the user before the connection', ['principal', 'connection'], 'principal=alice'],
    ['a decoded parameter', ['routing'], 'routing=r 1'],
    ['the first that is present', ['header:x-none', 'preference', 'routing'], 'preference=p'],
    ['an empty value is none', ['header:x-empty', 'connection'], 'connection=c1'],
    ['nothing', ['header:x-none'], undefined],
  ])('comes from %s', (_title, order, expected) => {
    const found = stickyKey(stateWith({ key: order }).spec.reads, head, caller);
    expect(found && keyText(found)).toBe(expected);
  });

  it('of different sources is never the same, even with one value', () => {
    expect(keyText({ source: 'routing', value: '7' })).not.toBe(keyText({ source: 'principal', value: '7' }));
  });
});
