import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../src/errors.ts';
import { refreshAlso } from '../../../src/proxy/refresh-also.ts';
import type { Transports, UpstreamRequest } from '../../../src/upstream/types.ts';
import { routeState } from '../../support/routes.ts';

const indices = [
  { source: 'a', target: 'b' },
  { source: 'c+d', target: 'e+f' },
];
const identity = {
  authorization: 'Basic x',
  'x-forwarded-for': '10.0.0.7',
  'x-proxy-user': 'ada',
  'x-proxy-roles': 'writers',
};

/** Refreshes with transports that remember what they were asked, and answer or fail. */
const run = async (options: { phase: 'dual' | 'target'; fails?: boolean; status?: number }) => {
  const sent: (UpstreamRequest & { side: string })[] = [];
  const transport = (side: string) => ({
    request: async (request: UpstreamRequest) => {
      sent.push({ ...request, side });
      if (options.fails === true) throw new CrossfadeError('UPSTREAM_TIMEOUT');
      return { status: options.status ?? 200, headers: {}, body: Buffer.alloc(0) };
    },
  });
  const transports: Transports = { source: transport('source'), target: transport('target') };
  const result = refreshAlso({
    head: { headers: { ...identity, 'content-type': 'application/json', 'x-opaque-id': '7' } },
    states: [routeState({ phase: options.phase, indices, aliases: [] })],
    passedTo: 'source',
    transports,
    followerTimeoutMs: 50,
  });
  const failed = await result.then(
    (refused) => refused?.status,
    (error: CrossfadeError) => error.code,
  );
  return { sent, failed };
};

describe('a refresh of everything', () => {
  it('refreshes the indices of the route on the other side, as the client, however it says who it is', async () => {
    const { sent } = await run({ phase: 'target' });
    expect(sent).toEqual([
      {
        side: 'target',
        method: 'POST',
        path: '/b,e%2Bf/_refresh?ignore_unavailable=true',
        headers: identity,
      },
    ]);
  });

  it('gives a follower a short time and does not care whether it fails', async () => {
    const { sent, failed } = await run({ phase: 'dual', fails: true });
    expect(sent[0]?.timeoutMs).toBe(50);
    expect(failed).toBeUndefined();
  });

  it('fails with an authority that cannot be refreshed', async () => {
    expect((await run({ phase: 'target', fails: true })).failed).toBe('UPSTREAM_TIMEOUT');
  });

  it.each([403, 503])(
    'has the answer of an authority that refuses with %i, and not that of a follower',
    async (status) => {
      expect((await run({ phase: 'target', status })).failed).toBe(status);
      expect((await run({ phase: 'dual', status })).failed).toBeUndefined();
    },
  );
});
