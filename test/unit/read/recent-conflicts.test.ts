import { describe, expect, it } from 'vitest';
import type { DocKey } from '../../../src/coordination/ports.ts';
import { createRecentConflicts } from '../../../src/proxy/recent-conflicts.ts';

const doc = (id: string, over: Partial<DocKey> = {}): DocKey => ({
  slug: 'products',
  ordinal: 0,
  id,
  routing: undefined,
  ...over,
});

describe('documents whose writes met a conflict', () => {
  it('are known for a minute from the last one on, each by its whole address', () => {
    let nowMs = 0;
    const conflicts = createRecentConflicts(() => nowMs);
    conflicts.note(doc('1'));
    nowMs = 40_000;
    conflicts.note(doc('2'));
    conflicts.note(doc('1'));
    const others = [doc('3'), doc('1', { slug: 'orders' }), doc('1', { ordinal: 1 }), doc('1', { routing: 'r' })];
    expect([doc('1'), doc('2'), ...others].map(conflicts.has)).toEqual([true, true, false, false, false, false]);
    nowMs = 99_999;
    expect(conflicts.has(doc('1'))).toBe(true);
    nowMs = 100_000;
    expect([doc('1'), doc('2')].map(conflicts.has)).toEqual([false, false]);
  });

  it('are bounded: the oldest is forgotten first', () => {
    const conflicts = createRecentConflicts(() => 0);
    for (let i = 0; i <= 10_000; i++) conflicts.note(doc(String(i)));
    expect(['0', '1', '10000'].map((id) => conflicts.has(doc(id)))).toEqual([false, true, true]);
  });
});
