import { describe, expect, it } from 'vitest';
import { ClusterConfig } from '../../../src/config.ts';
import type { Side } from '../../../src/coordination/records.ts';
import { silentLogger } from '../../../src/log.ts';
import { type ClusterUse, createCredentials } from '../../../src/upstream/credentials.ts';

const client = ['Accept', '*/*', 'Authorization', 'Basic Y2xpZW50OngK', 'Cookie', 'a=b', 'X-Amz-Date', 'd'];
const open = (side: Side, config: Record<string, unknown>, use?: ClusterUse) =>
  createCredentials(ClusterConfig.parse({ url: 'http://a', ...config }), { side, logger: silentLogger(), use });
const apply = (side: Side, config: Record<string, unknown>, headers: string[] = client): readonly string[] =>
  open(side, config).apply(headers);

const basic = `Basic ${Buffer.from('user:pässword').toString('base64')}`;
const own = { username: 'user', password: 'pässword' };
const sigv4 = { sigv4: { region: 'eu-west-1', accessKeyId: 'id', secretAccessKey: 'secret' } };
const bare = ['Accept', '*/*'];

describe('credentials of the application', () => {
  it.each<[string, Side, Record<string, unknown>, string[]]>([
    ['go to the source when it has none of its own', 'source', {}, client],
    ['do not go to the target', 'target', {}, bare],
    ['go to the target when that is wanted', 'target', { passClientCredentials: true }, client],
    ['do not go to the source when that is not wanted', 'source', { passClientCredentials: false }, bare],
    ['give way to basic credentials of the source', 'source', own, [...bare, 'authorization', basic]],
    ['give way to basic credentials of the target', 'target', own, [...bare, 'authorization', basic]],
    ['give way to an API key', 'source', { apiKey: 'k' }, [...bare, 'authorization', 'ApiKey k']],
    ['give way to signatures', 'source', sigv4, bare],
    ['win over own ones when both may be used', 'source', { ...own, passClientCredentials: true }, client],
  ])('%s', (_, side, config, headers) => {
    expect(apply(side, config)).toEqual(headers);
  });

  it('that are absent are replaced by own ones when both may be used, but for requests of the application', () => {
    const both = { ...own, passClientCredentials: true };
    expect(open('source', both, 'own').apply(bare)).toEqual([...bare, 'authorization', basic]);
    expect(open('source', both, 'client').apply(bare)).toEqual(bare);
  });

  it('give way to own ones in what is asked on own account, and stand in where there are none', () => {
    const both = { ...own, passClientCredentials: true };
    const proxied = [...client, 'X-Proxy-User', 'u', 'x-proxy-roles', 'r'];
    expect(open('source', both, 'client').apply(proxied, true)).toEqual([...bare, 'authorization', basic]);
    expect(open('source', {}, 'client').apply(proxied, true)).toEqual(proxied);
  });
});

describe('credentials for signing', () => {
  it('need both keys', () => {
    expect(() => apply('source', { sigv4: { region: 'eu-west-1', accessKeyId: 'id' } })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});
