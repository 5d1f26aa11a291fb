import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { authorityTerm, clientTerm, impossibleTerm } from '../../../src/proxy/write/tokens.ts';

const terms = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const reigns = fc.integer({ min: 1, max: 255 });

describe('primary terms that carry the reign', () => {
  it('are the authority’s own before the first switch', () => {
    fc.assert(fc.property(terms, (term) => clientTerm(String(term), 1) === String(term)));
  });

  it('come back unchanged in the reign that gave them', () => {
    fc.assert(
      fc.property(
        terms,
        reigns,
        (term, reign) => authorityTerm(clientTerm(String(term), reign), reign) === String(term),
      ),
    );
  });

  it('can match nothing in any other reign', () => {
    fc.assert(
      fc.property(terms, reigns, reigns, (term, given, now) => {
        fc.pre(given !== now);
        expect(authorityTerm(clientTerm(String(term), given), now)).toBe(impossibleTerm);
      }),
    );
  });

  it('stay exact as JavaScript numbers', () => {
    fc.assert(
      fc.property(terms, reigns, (term, reign) => Number.isSafeInteger(Number(clientTerm(String(term), reign)))),
    );
  });

  it.each([
    ['0', 1],
    ['-1', 2],
    ['', 2],
    ['abc', 2],
    ['1.5', 2],
    ['99999999999999999999', 2],
  ])('leaves %j to be refused by the server', (given, reign) => {
    expect(authorityTerm(given, reign)).toBe(given);
  });

  it.each(['+7', '7.0', '7e0', ' 7'])(
    'reads %j as the server does, so that it cannot slip through in a later reign',
    (given) => {
      expect(authorityTerm(given, 1)).toBe('7');
      expect(authorityTerm(given, 2)).toBe(impossibleTerm);
    },
  );
});
