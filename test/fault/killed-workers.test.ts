/**
 * kill -9 during a backfill of whoever works on it: a worker that is reading, one whose copies have not arrived, one whose
 * copies have and that does not know it, and the leader itself. Their chunks are taken up by those who are left.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AgentProcess, must, startAgent } from '../support/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import { type Asked, type Fault, type Relay, startRelay } from './relay.ts';
import { buildWorld, type World } from './world.ts';

const isRead = ({ path }: Asked): boolean => path.includes('/_search?preference=');
const isBulk = ({ path }: Asked): boolean => path.includes('/_bulk');
const victims: Record<string, { side: 'source' | 'target'; at: (asked: Asked) => boolean; fault: Fault }> = {
  reading: { side: 'source', at: isRead, fault: { kind: 'hang' } },
  sending: { side: 'target', at: isBulk, fault: { kind: 'hang' } },
  sent: { side: 'target', at: isBulk, fault: { kind: 'hang', applied: true } },
};

let world: World;
const relays: Relay[] = [];
const workers: AgentProcess[] = [];
beforeAll(async () => {
  world = await buildWorld({
    agents: 2,
    more: 3000,
    dual: false,
    route: { backfill: { chunkDocs: 50, maxPageDocs: 25 } },
  });
});
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await Promise.all(relays.map((relay) => relay.close()));
  await world?.close();
});

/** A worker whose way to one cluster goes through a relay; it hangs at what `at` tells. */
const startVictim = async (name: string): Promise<Relay> => {
  const { side, at, fault } = victims[name]!;
  const relay = await startRelay((await services())[`${side}Url`]);
  relays.push(relay);
  relay.misbehave((asked) => (at(asked) ? fault : undefined));
  const env = {
    ...world.env,
    CROSSFADE_MEMBER: name,
    [`CROSSFADE_CLUSTERS_${side.toUpperCase()}_URL`]: relay.url,
  };
  workers.push(await startAgent({ command: 'worker', upAt: 'working', env }));
  return relay;
};

test('a backfill ends with everything on the target although workers and the leader are killed in the middle', async () => {
  await world.cli('route', 'set', `${world.slug}.rate`, '400');
  const hanging = await Promise.all(Object.keys(victims).map(startVictim));
  await must(world.cli('phase', world.slug, 'dual'));
  await eventually(() => hanging.every((relay) => relay.faults() > 0), {
    timeoutMs: 60_000,
    what: 'each worker to hang where it is to die',
  });
  const { backfill, leader } = await world.until((now) => now.backfill?.state === 'running', 'a running backfill');
  expect(backfill?.chunksRemaining).toBeGreaterThan(0);
  for (const worker of workers) worker.signal('SIGKILL');
  await world.kill(world.named(leader!));
  await world.cli('route', 'set', `${world.slug}.rate`, '20000');
  await world.until((now) => now.backfill?.state === 'done', 'the end of the backfill');
  expect((await world.switchTo('target')).phase).toBe('target');
  await world.load.acknowledges(60);
  expect(await world.verdict()).toEqual([]);
}, 300_000);
