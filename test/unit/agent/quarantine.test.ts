import { describe, expect, test } from 'vitest';
import { createQuarantine, withoutValues } from '../../../src/agent/quarantine.ts';

describe('the reason of a refusal', () => {
  test.each([
    [
      "failed to parse field [n] of type [long] in document with id 'p-1'. Preview of field's value: 'it's 4711'",
      "failed to parse field [n] of type [long] in document with id '…'. Preview of field's value: …",
    ],
    ['For input string: "4711"', 'For input string: "…"'],
    ['mapping set to strict, dynamic introduction of [brand] within [_doc] is not allowed', undefined],
  ])('%j is kept without what the document says', (reason, kept = reason) => {
    expect(withoutValues(reason)).toBe(kept);
    const quarantine = createQuarantine();
    quarantine.add({ ordinal: 0, id: 'p-1' }, 1n, reason);
    expect(quarantine.record().docs).toMatchObject([{ id: 'p-1', reason: kept }]);
  });
});
