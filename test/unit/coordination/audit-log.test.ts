import { describe, expect, it } from 'vitest';
import { appendAudit } from '../../../src/coordination/audit-log.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const entry = (what: string) => ({ at: '2026-01-01T00:00:00.000Z', by: 'ann', what, reason: '' });
const said = async ({ config }: MemoryStore) =>
  (await config.list('audit.products.')).map(
    ({ key, value }) => `${key} ${(JSON.parse(value) as { what: string }).what}`,
  );

describe('the audit log', () => {
  it('counts up, beside the entries of other writers', async () => {
    const store = new MemoryStore();
    await store.config.put('audit.products.41', JSON.stringify({ schema: 1, ...entry('old') }));
    await store.config.put('audit.products-b.99', '{}');
    expect(await appendAudit(store.config, 'products', entry('new'))).toBe(true);
    expect(await said(store)).toEqual(['audit.products.41 old', 'audit.products.42 new']);
  });

  it('loses no entry of many writers at once', async () => {
    const store = new MemoryStore();
    const wrote = Array.from({ length: 12 }, (_, i) => appendAudit(store.config, 'products', entry(`w${i}`)));
    expect(await Promise.all(wrote)).not.toContain(false);
    expect(await said(store)).toHaveLength(12);
  });

  it('keeps what one writer says after any number of entries of another', async () => {
    const store = new MemoryStore();
    await appendAudit(store.config, 'products', entry('leader'));
    for (let i = 0; i < 40; i++) await appendAudit(store.config, 'products', entry(`person ${i}`));
    expect(await appendAudit(store.config, 'products', entry('leader again'))).toBe(true);
    expect((await said(store)).at(-1)).toBe('audit.products.42 leader again');
  });

  it.each(['list', 'update'] as const)('says when the store cannot take it, and throws nothing: %s', async (access) => {
    const store = new MemoryStore();
    Object.assign(store.config, { [access]: () => Promise.reject(new CrossfadeError('STORE_UNSUPPORTED')) });
    expect(await appendAudit(store.config, 'products', entry('lost'))).toBe(false);
  });
});
