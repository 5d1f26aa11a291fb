import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { partOf, parts } from '../../../scripts/reference.ts';
import { CrossfadeError, type ErrorCode, errorTable, isCrossfadeError, renderError } from '../../../src/errors.ts';

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
const codes = Object.keys(errorTable) as ErrorCode[];

describe('docs/errors.md', () => {
  it('lists every error with status and meaning (node scripts/reference.ts rewrites the list)', () => {
    const part = parts.find((one) => one.part === 'errors');
    expect(partOf(page, 'errors')).toBe(part?.render());
  });

  it('says of every error what to do, in the order of the list, and of nothing else', () => {
    const sections = [...page.matchAll(/^### (\S+)\n\n(.+)/gm)].map(([, code]) => code);
    expect(sections).toEqual(codes);
  });
});

describe('an error of the sidecar', () => {
  it.each(codes)('%s is rendered in the shape of OpenSearch and names its code', (code) => {
    const { status, headers, body } = renderError(new CrossfadeError(code, 'why', { details: { indices: ['a'] } }));
    const { type, notSent } = errorTable[code];
    expect(status).toBe(errorTable[code].status);
    expect(headers['x-crossfade-error']).toBe(code);
    expect(headers['x-crossfade-not-sent']).toBe(notSent ? 'true' : undefined);
    expect('retry-after' in headers).toBe(status === 503);
    expect(JSON.parse(body)).toEqual({
      error: { root_cause: [{ type, reason: 'why' }], type, reason: 'why', indices: ['a'] },
      status,
    });
  });

  it('speaks its meaning when it was given no text', () => {
    expect(new CrossfadeError('FENCED').message).toBe(errorTable.FENCED.meaning);
  });

  it('is told from other errors by its class, and from its kind by the code', () => {
    expect(isCrossfadeError(new CrossfadeError('FENCED'))).toBe(true);
    expect(isCrossfadeError(new CrossfadeError('FENCED'), 'INTERNAL')).toBe(false);
    expect(isCrossfadeError(new Error('FENCED'))).toBe(false);
  });

  it('never claims that nothing was sent when the outcome is unknown', () => {
    const unknown: ErrorCode[] = ['UPSTREAM_RESET', 'UPSTREAM_TIMEOUT', 'UPSTREAM_INVALID', 'STORE_OUTCOME_UNKNOWN'];
    for (const code of unknown) expect(errorTable[code].notSent).toBe(false);
  });
});
