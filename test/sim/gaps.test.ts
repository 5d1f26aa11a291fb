/**
 * Stories that the product does not survive yet, see "Not yet proven" in docs/roadmap.md: each of these tests fails as soon
 * as the harm is gone, and its story then belongs to those of mutants.test.ts. What a failing primary takes with it is the
 * fake's word alone: a cluster of one node, which the conformance suite asks, cannot fail like that.
 */
import { describe, expect, it } from 'vitest';
import { hiddenFromTheTail, readAndLost } from './stories.ts';
import { simulate } from './world.ts';

const knownHarm = 'I8: committed while the sides differ: a:';

describe('a primary that fails with a write that no replica holds', () => {
  it.each([
    { what: 'after that write was read back and copied', story: readAndLost },
    { what: 'after the tail passed an acknowledged write hidden by it', story: hiddenFromTheTail },
  ])('still lets a switch commit unequal sides $what', async ({ story }) => {
    const { violations } = await simulate({ seed: 1, story });
    expect(violations[0]).toContain(knownHarm);
  });
});
