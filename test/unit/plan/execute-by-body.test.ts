import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { classify } from '../../../src/proxy/classify.ts';
import type { ClientRequest } from '../../../src/proxy/client-request.ts';
import { createByBodyExecutor } from '../../../src/proxy/execute-by-body.ts';
import { routeState, tableOf } from '../../support/routes.ts';

const table = tableOf(routeState({ phase: 'target' }));

/** Runs one request and tells what was done with it. */
const run = async (target: string, body: Buffer, headers: Record<string, string> = {}): Promise<string> => {
  const done: string[] = [];
  const executor = createByBodyExecutor({
    table: () => table,
    now: () => new Date(0),
    maxBodyBytes: 1024,
    pass: async (_, side) => void done.push(`pass ${side}`),
    cursor: async () => void done.push('cursor'),
    admin: async () => void done.push('admin'),
  });
  const [method = '', path = ''] = target.split(' ');
  const request = {
    head: { method, path, query: '', headers: { 'content-type': 'application/json', ...headers } },
    headers: [],
    readBody: async () => body,
  } as unknown as ClientRequest;
  const operation = classify(method, path);
  await executor(request, { kind: 'by_body', operation }).catch((error) => done.push(error.code));
  return done.join(' ');
};

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe('a request whose body decides', () => {
  it.each<[string, unknown, string]>([
    ['POST /_aliases', { actions: [{ add: { index: 'other', alias: 'x' } }] }, 'pass source'],
    ['POST /_aliases', { actions: [{ add: { index: 'products', alias: 'x' } }] }, 'ADMIN_REFUSED'],
    ['POST /_aliases', { actions: [{ add: { index: 'products_v1', alias: 'x' } }] }, 'admin'],
    ['POST /_plugins/_sql', { query: 'SELECT 1' }, 'pass source'],
    ['POST /_plugins/_sql', { cursor: 'abc' }, 'cursor'],
    ['POST /_plugins/_sql', { query: 'SELECT * FROM products' }, 'UNSUPPORTED'],
  ])('%s with %j: %s', async (target, body, expected) => {
    expect(await run(target, json(body))).toBe(expected);
  });

  it('is read through its content encoding', async () => {
    const body = gzipSync(json({ actions: [{ remove_index: { index: 'products' } }] }));
    expect(await run('POST /_aliases', body, { 'content-encoding': 'gzip' })).toBe('ADMIN_REFUSED');
  });

  it('is refused when it unpacks to more than may be held', async () => {
    const body = gzipSync(Buffer.alloc(100_000, ' '));
    expect(await run('POST /_aliases', body, { 'content-encoding': 'gzip' })).toBe('BODY_TOO_LARGE');
  });
});
