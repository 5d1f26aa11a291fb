import { describe, expect, it } from 'vitest';
import { createClusterControl } from '../../../src/agent/cluster.ts';

const answering = (status: number, body: string) =>
  createClusterControl({
    request: async () => ({ status, statusText: '', headers: {}, body: Buffer.from(body) }) as never,
  });

describe('a request whose answer is JSON', () => {
  it.each([
    ['an answer', 200, '{"status":"green"}', { status: 'green' }],
    ['an error', 404, '{"error":"none"}', { error: 'none' }],
    ['a refusal in words, as of the security plugin', 401, 'Unauthorized', 'Unauthorized'],
    ['the page of a proxy', 502, '<html>', '<html>'],
    ['nothing', 403, '', undefined],
  ])('gives status and body of %s', async (_what, status, text, body) => {
    expect(await answering(status, text).json('GET', '/_cluster/health')).toEqual({ status, body });
  });

  it('fails when a success is none', async () => {
    await expect(answering(200, '<html>').json('GET', '/')).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
  });
});
