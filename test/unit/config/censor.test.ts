import { describe, expect, test } from 'vitest';
import { createCensor } from '../../../src/censor.ts';

describe('the censor', () => {
  test.each([
    ['a header', 'sent authorization: Basic bW92ZXI6c2VjcmV0 to x', 'sent authorization: Basic [redacted] to x'],
    ['a header in JSON', '{"authorization":"Bearer abcDEF123.xyz"}', '{"authorization":"Bearer [redacted]"}'],
    ['an API key', 'ApiKey aZ09aZ09aZ09==', 'ApiKey [redacted]'],
    ['a signature', '"AWS4-HMAC-SHA256 Credential=AKIA/2026, Signature=ff"', '"AWS4-HMAC-SHA256 [redacted]"'],
    ['credentials in a URL', 'at https://u:p@host:9200/x', 'at https://[redacted]@host:9200/x'],
    ['a password with an @ in a URL', 'at https://u:p@ss@host:9200/x', 'at https://[redacted]@host:9200/x'],
  ])('takes out %s', (_, text, expected) => {
    expect(createCensor()(text)).toBe(expected);
  });

  test.each([
    'basic authentication failed, a bearer token is expected',
    'mail to ann@example.org about https://host/a@b',
    'nats://127.0.0.1:4222 answered',
  ])('leaves %j as it is', (text) => {
    expect(createCensor()(text)).toBe(text);
  });

  test('takes out known secrets wherever they stand, as they are and as JSON writes them', () => {
    const censor = createCensor([() => 'pa"ss\\word']);
    expect(censor('it was pa"ss\\word!')).toBe('it was [redacted]!');
    expect(censor(JSON.stringify({ msg: 'it was pa"ss\\word!' }))).toBe('{"msg":"it was [redacted]!"}');
  });

  test('knows a secret that was rotated, and the one before', () => {
    let now = 'first-secret';
    const censor = createCensor([() => now]);
    censor('');
    now = 'second-secret';
    expect(censor('first-secret second-secret')).toBe('[redacted] [redacted]');
  });

  test('does not take holes out of words for a secret of one letter', () => {
    expect(createCensor([() => 'a', () => ''])('a banana')).toBe('a banana');
  });
});
