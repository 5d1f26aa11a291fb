import { expect, it } from 'vitest';
import { frozen, type Sample } from '../../../src/proxy/shadow/rounds.ts';

it('the moment of a read is put into its request once, however often it is asked', () => {
  const sample = { api: 'search', served: { atMs: 0 } } as Sample;
  const body = Buffer.from('{"query":{"range":{"at":{"gte":"now-1d"}}}}');
  const first = frozen(sample, body);
  expect(first?.toString()).toContain('1970-01-01');
  expect(frozen(sample, body)).toBe(first);
});
