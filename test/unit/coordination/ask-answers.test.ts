import { describe, expect, it } from 'vitest';
import { answerTo, withEarlier } from '../../../src/coordination/ask-answers.ts';
import type { AskResult } from '../../../src/coordination/records.ts';

const answer = (id: string, more: Partial<AskResult> = {}): AskResult => ({
  schema: 1,
  id,
  state: 'done',
  message: '',
  at: '',
  ...more,
});
const chain = (...answers: AskResult[]): AskResult | undefined =>
  answers.reduce<AskResult | undefined>((standing, next) => withEarlier(standing, next), undefined);

describe('the answers of a leader', () => {
  it('carry the last final ones before them', () => {
    const standing = chain(...['a', 'b', 'c', 'd', 'e', 'f'].map((id) => answer(id)));
    expect(standing?.earlier?.map(({ id }) => id)).toEqual(['e', 'd', 'c', 'b']);
    expect(answerTo(standing, 'c')).toEqual(answer('c'));
    expect(answerTo(standing, 'a')).toBeUndefined();
  });

  it('are kept over the steps of one request, and only when they are final', () => {
    const standing = chain(answer('a'), answer('b', { state: 'running' }), answer('b'), answer('c'));
    expect(standing?.earlier?.map(({ id, state }) => [id, state])).toEqual([
      ['b', 'done'],
      ['a', 'done'],
    ]);
    const given = chain(answer('a', { state: 'running' }), answer('b'));
    expect(answerTo(given, 'a')).toBeUndefined();
  });

  it('lose long lists and keep what decides how a command ends', () => {
    const findings = Array.from({ length: 5000 }, (_, i) => ({ id: `doc-${i}` }));
    const standing = chain(answer('a', { details: { equal: false, findings } }), answer('b'));
    expect(answerTo(standing, 'a')?.details).toEqual({ equal: false });
  });
});
