/**
 * A process that works off chunks until it is killed; started by backfill.test.ts. Its argument is the JSON of what it
 * needs; it prints a line for each bulk that the follower has answered.
 */
import { runWorker } from '../../../src/agent/chunk-worker.ts';
import { createClusterControl } from '../../../src/agent/cluster.ts';
import { systemRuntime } from '../../../src/agent/runtime.ts';
import { createTransforms } from '../../../src/agent/transform.ts';
import { NatsConfig } from '../../../src/config.ts';
import { openNatsStore } from '../../../src/coordination/nats-store.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { silentLogger } from '../../../src/log.ts';
import { testTransport } from '../../support/transport.ts';

export type WorkerInput = {
  state: RouteState;
  worker: string;
  bucket: string;
  natsUrl: string;
  sourceUrl: string;
  targetUrl: string;
  ackWaitMs: number;
};

const { state, worker, bucket, natsUrl, sourceUrl, targetUrl, ackWaitMs } = JSON.parse(
  process.argv[2] as string,
) as WorkerInput;
const config = NatsConfig.parse({ servers: [natsUrl], bucket });
const store = openNatsStore({ config, member: worker, logger: silentLogger(), ackWaitMs });
await store.ready(30_000);
const target = testTransport(targetUrl);
const telling = {
  request: async (asked: Parameters<typeof target.request>[0]) => {
    const answer = await target.request(asked);
    if (asked.path.includes('_bulk')) process.stdout.write('bulk\n');
    return answer;
  },
};
await runWorker({
  store,
  clusters: { source: createClusterControl(testTransport(sourceUrl)), target: createClusterControl(telling) },
  slug: state.slug,
  worker,
  state: () => state,
  transforms: createTransforms(),
  runtime: systemRuntime,
  signal: new AbortController().signal,
});
