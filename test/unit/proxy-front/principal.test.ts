import { describe, expect, it } from 'vitest';
import { principalOf } from '../../../src/proxy/principal.ts';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('a principal', () => {
  it.each([
    [basic('ana:secret'), 'ana'],
    [basic('ana:se:cret').replace('Basic', 'bAsIc'), 'ana'],
    [basic('anä:x'), 'anä'],
    [basic('nobody'), undefined],
    [basic(':x'), undefined],
    ['Basic', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('of %j is %j', (header, expected) => {
    expect(principalOf(header)).toBe(expected);
  });

  it('of a token is the same for the same token and gives nothing of it away', () => {
    const one = principalOf('Bearer abc.def.ghi');
    expect(one).toMatch(/^bearer:[0-9a-f]{16}$/);
    expect(principalOf('bearer abc.def.ghi')).toBe(one);
    expect(principalOf('Bearer abc.def.ghj')).not.toBe(one);
    expect(principalOf('ApiKey abc.def.ghi')).toMatch(/^apikey:/);
  });
});
