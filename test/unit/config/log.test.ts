import { describe, expect, test } from 'vitest';
import { createLogger } from '../../../src/log.ts';

const logged = (write: (log: ReturnType<typeof createLogger>) => void): string => {
  const lines: string[] = [];
  write(createLogger({ level: 'debug', member: 'm1' }, { write: (line) => lines.push(line) }));
  return lines.join('');
};

describe('the log', () => {
  test('is one JSON object per line with ISO time, level and member', () => {
    const line = JSON.parse(logged((log) => log.info({ route: 'p' }, 'phase applied')));
    expect(line).toMatchObject({ level: 30, member: 'm1', route: 'p', msg: 'phase applied' });
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  test('writes of an error its type, code, message, stack and causes', () => {
    const error = new Error('outer', { cause: Object.assign(new TypeError('inner'), { code: 'ECONNRESET' }) });
    const { err } = JSON.parse(logged((log) => log.error({ err: error }, 'failed')));
    expect(err).toMatchObject({
      type: 'Error',
      message: 'outer',
      cause: { type: 'TypeError', code: 'ECONNRESET', message: 'inner' },
    });
    expect(err.stack).toContain('log.test');
  });

  test.each([
    [
      'in the request that an error carries',
      { err: Object.assign(new Error('x'), { meta: { headers: { authorization: 'planted' } } }) },
    ],
    ['in a header', { headers: { authorization: 'planted' } }],
    ['in a field of its own', { password: 'planted' }],
    ['in a section', { admin: { token: 'planted' } }],
  ])('never shows a secret %s', (_, fields) => {
    const text = logged((log) => log.error(fields, 'failed'));
    expect(text).toContain('failed');
    expect(text).not.toContain('planted');
  });

  test('ends a chain of causes that refers to itself', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(logged((log) => log.error({ err: error }, 'failed'))).toContain('loop');
  });
});
