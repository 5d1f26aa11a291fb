/** NATS dies with kill -9 under load and comes back: writes do not notice, and switches work again. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { missingNats, reasonNats } from '../support/own-nats.ts';
import { startNats } from '../support/services.ts';
import { answersAll, unnoticed } from './standing.ts';
import { buildWorld, type World } from './world.ts';

let nats: Awaited<ReturnType<typeof startNats>>;
let world: World;
beforeAll(async () => {
  nats = await startNats();
  world = await buildWorld({ natsUrl: nats.url });
});
afterAll(async () => {
  await world?.close();
  await nats?.stop();
  if (nats !== undefined) rmSync(nats.dir, { recursive: true, force: true });
});

const connected = async (): Promise<number> => {
  const texts = world.members.map(async ({ process }) => (await fetch(`${process.adminUrl}/metrics`)).text());
  return (await Promise.all(texts)).filter((text) => /^crossfade_store_connected 1$/m.test(text)).length;
};

test.skipIf(missingNats !== undefined)(
  `writes go on while NATS is dead, and a cutover succeeds once it is back${reasonNats}`,
  async () => {
    await world.load.acknowledges(60);
    // A chunk in the hands of a worker would come again only after its ack wait; that is the backfill's matter.
    await eventually(async () => (await world.status()).backfill?.state === 'done', {
      timeoutMs: 60_000,
      what: 'the backfill',
    });
    process.kill(nats.pid, 'SIGKILL');
    await eventually(async () => (await connected()) === 0, { timeoutMs: 30_000, what: 'agents to miss NATS' });
    const from = world.recorder.operations.length;
    await world.load.acknowledges(120);
    await answersAll(world);
    expect(unnoticed(world, from)).toEqual([]);

    nats = await startNats({ port: nats.port, dir: nats.dir });
    await eventually(async () => (await connected()) === 3, { timeoutMs: 30_000, what: 'agents to find NATS' });
    expect((await world.switchTo('target')).phase).toBe('target');
    await world.load.acknowledges(60);
    expect(await world.verdict()).toEqual([]);
  },
  150_000,
);
