/** The role files of deploy/nats on a real server: each role can do its work, and the server denies it the rest. */
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NatsConfig } from '../../../src/config.ts';
import { bootPrefix, keys } from '../../../src/coordination/keys.ts';
import { campaign } from '../../../src/coordination/lease.ts';
import { openNatsStore } from '../../../src/coordination/nats-store.ts';
import { forgetMember } from '../../../src/fleet/forget-member.ts';
import { silentLogger } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { describeOnNats } from '../../support/own-nats.ts';
import { startNats } from '../../support/services.ts';

type Role = 'setup' | 'sidecar' | 'operator' | 'viewer';
const roles: readonly Role[] = ['setup', 'sidecar', 'operator', 'viewer'];
const passwordOf = (role: Role): string => `secret-of-${role}`;
const variableOf = (role: Role): string => `CROSSFADE_${role.toUpperCase()}_PASSWORD`;

const cleanUps: (() => Promise<unknown>)[] = [];
let url: string;

const connectAs = async (role: Role): Promise<NatsConnection> => {
  const connection = await connect({ servers: [url], user: `crossfade-${role}`, pass: passwordOf(role) });
  cleanUps.push(() => connection.close());
  return connection;
};

const storeAs = async (role: Role, liveTtlMs = 15_000) => {
  const config = NatsConfig.parse({
    servers: [url],
    username: `crossfade-${role}`,
    password: passwordOf(role),
    createBuckets: false,
  });
  const store = openNatsStore({ config, member: role, logger: silentLogger(), timeoutMs: 2000, liveTtlMs });
  cleanUps.push(() => store.close());
  await store.ready(10_000);
  return store;
};

beforeAll(async () => {
  for (const role of roles) process.env[variableOf(role)] = passwordOf(role);
  const config = join(import.meta.dirname, '../../../deploy/nats/account.conf');
  const server = await startNats({ extraArgs: ['-c', config] });
  cleanUps.push(() => server.stop());
  url = server.url;
  const kvm = new Kvm(await connectAs('setup'));
  await kvm.create('crossfade', { history: 32, republish: { src: '$KV.crossfade.>', dest: 'crossfade.evt.>' } });
  await kvm.create('crossfade_live', {
    history: 1,
    ttl: 15_000,
    republish: { src: '$KV.crossfade_live.>', dest: 'crossfade_live.evt.>' },
  });
});
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
  for (const role of roles) delete process.env[variableOf(role)];
});

describeOnNats('a sidecar', () => {
  it('coordinates: it pins the store, leads, writes the phase and follows changes', async () => {
    const store = await storeAs('sidecar');
    const seen: string[] = [];
    store.config.subscribe(({ key }) => seen.push(key));
    expect(await store.config.get(keys.meta)).toBeDefined();
    expect((await store.config.update(keys.phase('products'), '{}', 0)).ok).toBe(true);
    await store.live.put(keys.heartbeat('gateway-0'), '{}');
    const lease = campaign({ live: store.live, slug: 'products', member: 'a', boot: 'b', logger: silentLogger() });
    await eventually(() => expect(lease.isHeld()).toBe(true));
    await lease.release();
    await eventually(() => expect(seen).toContain(keys.phase('products')));
  });

  it('works off the queue of a backfill, from making it to its end', async () => {
    const queue = (await storeAs('sidecar')).workQueue('products');
    await queue.add([{ index: 0, shard: 0, fromSeq: -1, toSeq: 9 }]);
    expect(await queue.remaining()).toBe(1);
    const delivery = await queue.next(2000);
    await delivery?.ack();
    expect(await queue.remaining()).toBe(0);
    await queue.purge(await queue.mark());
  });

  it.each([
    ['delete a bucket', (nats: NatsConnection) => manage(nats, (streams) => streams.delete('KV_crossfade'))],
    ['purge a bucket', (nats: NatsConnection) => manage(nats, (streams) => streams.purge('KV_crossfade'))],
    ['change a route', (nats: NatsConnection) => nats.request('$KV.crossfade.rt.products.cfg', '{}')],
  ])('may not %s', async (_, attempt) => {
    await expect(attempt(await connectAs('sidecar'))).rejects.toThrow(/permissions violation/i);
  });
});

describeOnNats('an operator', () => {
  it('applies a route, turns its percentages and asks its leader', async () => {
    const { config } = await storeAs('operator');
    const wanted = [keys.config('orders'), keys.percent('orders', 'read'), keys.stop('orders'), keys.ask('orders')];
    for (const key of wanted) expect(await config.put(key, '0')).toBeGreaterThan(0);
    await config.delete(keys.percent('orders', 'read'));
    expect(await config.get(keys.percent('orders', 'read'))).toBeUndefined();
  });

  it('says that a member is gone', async () => {
    const sidecar = await storeAs('sidecar');
    await sidecar.config.put(keys.boot('orders', 'b'), JSON.stringify({ member: 'db1.example.com' }));
    const store = await storeAs('operator');
    await store.config.put(keys.config('orders'), '{}');
    const forget = { member: 'db1.example.com', newId: () => 'id', dryRun: false };
    expect(await forgetMember(store, forget)).toEqual({ orders: 1 });
    expect(await sidecar.config.list(bootPrefix('orders'))).toEqual([]);
    const farewell = await sidecar.live.get(keys.heartbeat('db1.example.com'));
    expect(JSON.parse(farewell?.value ?? '{}')).toMatchObject({ leaving: true });
  });
});

describeOnNats('a viewer', () => {
  it('reads routes and heartbeats', async () => {
    await (await storeAs('sidecar')).live.put(keys.heartbeat('gateway-1'), '{}');
    const { config, live } = await storeAs('viewer');
    await (await storeAs('operator')).config.put(keys.stop('orders'), 'on');
    expect((await config.get(keys.stop('orders')))?.value).toBe('on');
    expect(await live.get(keys.heartbeat('gateway-1'))).toBeDefined();
  });
});

describeOnNats('samples of mismatches', () => {
  const kind = { slug: 'products', severity: 'S2', shape: 'abc' };

  it.each(['sidecar', 'operator', 'viewer'] as const)(
    'are put into their stream by a sidecar and read by the %s',
    async (role) => {
      await (await storeAs('sidecar')).samples?.add(kind, `for the ${role}`);
      const { samples } = await storeAs(role);
      expect(await samples?.list({ slug: 'products' })).toContain(`for the ${role}`);
      expect(await samples?.list({ slug: 'products', severity: 'S2' })).toContain(`for the ${role}`);
      if (role !== 'sidecar')
        await expect(samples?.add(kind, 'not its own')).rejects.toMatchObject({ code: 'STORE_UNSUPPORTED' });
    },
  );
});

/** Every key of the two buckets, and who may write it; a key that is added is missed here by the test below. */
const writers: Record<string, readonly Role[]> = {
  [keys.meta]: ['setup', 'sidecar'],
  [keys.config('orders')]: ['setup', 'operator'],
  [keys.phase('orders')]: ['setup', 'sidecar'],
  [keys.percent('orders', 'read')]: ['setup', 'sidecar', 'operator'],
  [keys.percent('orders', 'shadow')]: ['setup', 'sidecar', 'operator'],
  [keys.percent('orders', 'write')]: ['setup', 'sidecar', 'operator'],
  [keys.stop('orders')]: ['setup', 'sidecar', 'operator'],
  [keys.rate('orders')]: ['setup', 'sidecar', 'operator'],
  [keys.ask('orders')]: ['setup', 'sidecar', 'operator'],
  [keys.job('orders', 'state')]: ['setup', 'sidecar', 'operator'],
  [keys.evidence('orders', 'boot')]: ['setup', 'sidecar', 'operator'],
  [keys.boot('orders', 'boot')]: ['setup', 'sidecar', 'operator'],
  [keys.audit('orders', 1)]: ['setup', 'sidecar', 'operator'],
};
const liveWriters: Record<string, readonly Role[]> = {
  [keys.heartbeat('gateway-0')]: ['setup', 'sidecar', 'operator'],
  [keys.lease('orders')]: ['setup', 'sidecar'],
  [keys.progress('orders', 'worker-0')]: ['setup', 'sidecar'],
  [keys.watch('gateway-0')]: ['setup', 'sidecar'],
  [keys.traffic('gateway-0')]: ['setup', 'sidecar'],
  [keys.found('gateway-0')]: ['setup', 'sidecar'],
};
const cases = roles.flatMap((role) =>
  [
    ...Object.entries(writers).map(([key, allowed]) => ({ subject: `$KV.crossfade.${key}`, allowed })),
    ...Object.entries(liveWriters).map(([key, allowed]) => ({ subject: `$KV.crossfade_live.${key}`, allowed })),
  ].map(({ subject, allowed }) => [role, allowed.includes(role) ? 'may' : 'may not', subject] as const),
);

describeOnNats('a key of the store', () => {
  const connections = new Map<Role, Promise<NatsConnection>>();
  const as = (role: Role): Promise<NatsConnection> => {
    const connection = connections.get(role) ?? connectAs(role);
    connections.set(role, connection);
    return connection;
  };

  it.each(cases)('%s %s write %s', async (role, verdict, subject) => {
    const attempt = (await as(role)).request(subject, '{}', { timeout: 5000 });
    if (verdict === 'may')
      expect((await attempt).json()).toMatchObject({ stream: expect.stringContaining('KV_crossfade') });
    else await expect(attempt).rejects.toThrow(/permissions violation/i);
  });

  it('of every kind is in the table', () => {
    // pct has three names; a name is claimed in the embedded store only.
    const kinds = Object.keys(keys).length + 2 - 1;
    expect(Object.keys(writers).length + Object.keys(liveWriters).length).toBe(kinds);
  });
});

describeOnNats('the account', () => {
  it.each(['operator', 'viewer'] as const)('lets no %s make, change, purge or delete a stream', async (role) => {
    const nats = await connectAs(role);
    const attempts = [
      () => manage(nats, (streams) => streams.add({ name: 'mine', subjects: ['mine'] })),
      () => manage(nats, (streams) => streams.update('KV_crossfade', { max_age: 1 })),
      () => manage(nats, (streams) => streams.purge('KV_crossfade')),
      () => manage(nats, (streams) => streams.delete('KV_crossfade_live')),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toThrow(/permissions violation/i);
  });

  it.each(roles)('lets %s hear nothing outside of its own answers and the events of the buckets', async (role) => {
    const nats = await connectAs(role);
    const refused = new Promise<Error | undefined>((resolve) => {
      nats.subscribe('>', { callback: (error) => resolve(error ?? undefined) });
    });
    expect((await refused)?.message).toMatch(/permissions violation/i);
  });

  it('refuses a wrong password', async () => {
    await expect(
      connect({ servers: [url], user: 'crossfade-viewer', pass: 'guess', reconnect: false }),
    ).rejects.toThrow(/authorization/i);
  });
});

type Streams = Awaited<ReturnType<typeof jetstreamManager>>['streams'];
const manage = async (nats: NatsConnection, attempt: (streams: Streams) => Promise<unknown>): Promise<unknown> =>
  attempt((await jetstreamManager(nats, { checkAPI: false })).streams);
