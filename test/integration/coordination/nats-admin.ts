/** What an administrator or a person with the `nats` command does to the server, by a raw client. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect, type NatsConnection } from '@nats-io/transport-node';

export const withNats = async <T>(url: string, work: (connection: NatsConnection) => Promise<T>): Promise<T> => {
  const connection = await connect({ servers: [url] });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
};

export const deleteBucket = (url: string, bucket: string): Promise<void> =>
  withNats(url, async (connection) => {
    await (await jetstreamManager(connection)).streams.delete(`KV_${bucket}`);
  });

/** Deletes every stream whose name belongs to a store on this bucket. */
export const dropStreams = (url: string, bucket: string): Promise<void> =>
  withNats(url, async (connection) => {
    const manager = await jetstreamManager(connection);
    for await (const name of await manager.streams.names())
      if (name.includes(bucket)) await manager.streams.delete(name);
  });

/** The bytes that `nats kv put` sends: no headers, unconditional. */
export const kvPut = (connection: NatsConnection, bucket: string, entry: { key: string; value: string }) =>
  connection.request(`$KV.${bucket}.${entry.key}`, entry.value, { timeout: 5_000 });

/** The value as `nats kv get` shows it; undefined = no such key, or deleted. */
export const kvGet = async (connection: NatsConnection, bucket: string, key: string): Promise<string | undefined> => {
  const kv = await new Kvm(jetstream(connection)).open(bucket);
  const entry = await kv.get(key);
  return entry === null || entry.operation !== 'PUT' ? undefined : entry.string();
};
