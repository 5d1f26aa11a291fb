import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NatsConfig } from '../../../src/config.ts';
import { authenticatorOf, connectOptionsOf } from '../../../src/coordination/nats-connection.ts';
import { silentLogger } from '../../../src/log.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'crossfade-nats-'));
});
afterEach(() => rm(directory, { recursive: true }));

const servers = ['nats://127.0.0.1:4222'];
const auth = (settings: Partial<NatsConfig>) =>
  authenticatorOf(NatsConfig.parse({ servers, ...settings }), silentLogger());

describe('credentials', () => {
  it('are none unless configured', () => {
    expect(auth({})).toBeUndefined();
  });

  it('can stand in the configuration', () => {
    expect(auth({ username: 'u', password: 'p' })?.()).toEqual({ user: 'u', pass: 'p' });
    expect(auth({ token: 't' })?.()).toEqual({ auth_token: 't' });
  });

  it('are read from their file again at each connect, without the line feed at its end', async () => {
    const file = join(directory, 'secret');
    await writeFile(file, 'one\n');
    const [password, token] = [auth({ username: 'u', passwordFile: file }), auth({ tokenFile: file })];
    expect([password?.(), token?.()]).toEqual([{ user: 'u', pass: 'one' }, { auth_token: 'one' }]);
    await writeFile(file, 'two');
    expect([password?.(), token?.()]).toEqual([{ user: 'u', pass: 'two' }, { auth_token: 'two' }]);
  });

  it('stay as they were while their file is missing', async () => {
    const file = join(directory, 'secret');
    await writeFile(file, 'one');
    const token = auth({ tokenFile: file });
    expect(token?.()).toEqual({ auth_token: 'one' });
    await rm(file);
    expect(token?.()).toEqual({ auth_token: 'one' });
  });

  it('of a credentials file sign the nonce of the server with the key that is in the file now', async () => {
    const file = join(directory, 'user.creds');
    const write = async (jwt: string) => {
      const seed = new TextDecoder().decode(nkeys.createUser().getSeed());
      await writeFile(
        file,
        `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
      );
    };
    await write('first.jwt');
    const creds = auth({ credentialsFile: file });
    const first = creds?.('nonce') as { jwt: string; sig: string };
    await write('second.jwt');
    const second = creds?.('nonce') as { jwt: string; sig: string };
    expect([first.jwt, second.jwt]).toEqual(['first.jwt', 'second.jwt']);
    expect(first.sig).not.toBe(second.sig);
  });
});

describe('the connection', () => {
  const options = (settings: Partial<NatsConfig>) =>
    connectOptionsOf(NatsConfig.parse({ servers, ...settings }), 'gateway-0', silentLogger());

  it('never gives up and notices a dead peer within seconds', () => {
    const { maxReconnectAttempts, pingInterval = 0, maxPingOut = 0, timeout, name } = options({});
    expect({ maxReconnectAttempts, timeout, name }).toEqual({
      maxReconnectAttempts: -1,
      timeout: 3_000,
      name: 'gateway-0',
    });
    expect(pingInterval * (maxPingOut + 1)).toBeLessThanOrEqual(6_000);
  });

  it.each<[string, Partial<NatsConfig>, object | undefined]>([
    ['no TLS settings', {}, undefined],
    ['a tls:// server', { servers: ['tls://nats:4222'] }, {}],
    ['an authority', { tls: { caFile: 'ca.pem', verify: true } }, { caFile: 'ca.pem', rejectUnauthorized: true }],
    [
      'a client certificate and another name',
      { tls: { certFile: 'c.pem', keyFile: 'k.pem', serverName: 'nats', verify: false } },
      { certFile: 'c.pem', keyFile: 'k.pem', servername: 'nats', rejectUnauthorized: false },
    ],
  ])('with %s asks for TLS accordingly', (_, settings, tls) => {
    expect(options(settings).tls).toEqual(tls);
  });
});
