/** The stream of samples on a real server: what one member adds another reads, within limits. */
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NatsConfig } from '../../../src/config.ts';
import { sampleLimits } from '../../../src/coordination/nats-samples.ts';
import { type NatsStore, openNatsStore } from '../../../src/coordination/nats-store.ts';
import { silentLogger } from '../../../src/log.ts';
import { services, uniqueName } from '../../support/services.ts';
import { dropStreams, withNats } from './nats-admin.ts';

const bucket = uniqueName('samples');
let natsUrl: string;
let stores: NatsStore[];

beforeAll(async () => {
  ({ natsUrl } = await services());
  const config = NatsConfig.parse({ servers: [natsUrl], bucket });
  stores = ['a', 'laptop'].map((member) => openNatsStore({ config, member, logger: silentLogger() }));
  await Promise.all(stores.map((store) => store.ready(10_000)));
}, 60_000);
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await dropStreams(natsUrl, bucket);
});

const kind = (severity: string, shape: string, slug = 'products') => ({ slug, severity, shape });

describe('samples in a stream', () => {
  it('are none while nobody has added any', async () => {
    expect(await stores[1]!.samples?.list({ slug: 'products' })).toEqual([]);
  });

  it('are read by others, newest first, by route, severity and shape', async () => {
    const { samples } = stores[0]!;
    await samples?.add(kind('S4', 'abc'), 'one');
    await samples?.add(kind('S7', 'abc'), 'two');
    await samples?.add(kind('S7', 'def'), 'three');
    await samples?.add(kind('S7', 'abc', 'orders'), 'foreign');
    const list = (filter: object) => stores[1]!.samples?.list(filter);
    expect(await list({ slug: 'products' })).toEqual(['three', 'two', 'one']);
    expect(await list({ slug: 'products', severity: 'S7' })).toEqual(['three', 'two']);
    expect(await list({ shape: 'abc' })).toEqual(['foreign', 'two', 'one']);
    expect(await list({ slug: 'nobody' })).toEqual([]);
  });

  it('of one kind give way to newer ones of that kind, and to no others', async () => {
    const { samples } = stores[0]!;
    for (let i = 0; i < sampleLimits.perSubject + 5; i++) await samples?.add(kind('S3', 'flood', 'busy'), String(i));
    await samples?.add(kind('S3', 'rare', 'busy'), 'rare');
    const kept = await stores[1]!.samples?.list({ slug: 'busy' });
    expect(kept).toHaveLength(sampleLimits.perSubject + 1);
    expect(kept?.slice(0, 2)).toEqual(['rare', String(sampleLimits.perSubject + 4)]);
  });

  it('are bounded in number, bytes and age', async () => {
    const config = await withNats(natsUrl, async (connection) => {
      const manager = await jetstreamManager(connection);
      return (await manager.streams.info(`${bucket}_samples`)).config;
    });
    expect(config).toMatchObject({
      max_msgs: sampleLimits.messages,
      max_bytes: sampleLimits.bytes,
      max_msg_size: sampleLimits.messageBytes,
      max_age: sampleLimits.ageMs * 1e6,
      discard: 'old',
    });
  });
});
