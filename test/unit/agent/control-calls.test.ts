import { expect, it } from 'vitest';
import { createControlCalls } from '../../../src/agent/control-calls.ts';
import type { UpstreamRequest } from '../../../src/upstream/types.ts';

it.each([
  { call: { method: 'GET', path: '/' }, may: true },
  { call: { method: 'POST', path: '/a/_search', reads: true }, may: true },
  { call: { method: 'POST', path: '/_aliases' }, may: false },
  { call: { method: 'PUT', path: '/a/_settings' }, may: false },
  { call: { method: 'DELETE', path: '/a' }, may: false },
])('may $call.method $call.path be repeated where a connection proves dead? $may', async ({ call, may }) => {
  const asked: UpstreamRequest[] = [];
  const transport = {
    request: async (request: UpstreamRequest) => {
      asked.push(request);
      return { status: 200, headers: {}, body: Buffer.from('{}') };
    },
  };
  await createControlCalls(transport).send(call);
  expect(asked).toMatchObject([{ safeToRepeat: may }]);
});
