import { describe, expect, it } from 'vitest';
import { ClusterConfig } from '../../../src/config.ts';
import type { Side } from '../../../src/coordination/records.ts';
import { silentLogger } from '../../../src/log.ts';
import { createCredentials } from '../../../src/upstream/credentials.ts';

const client = ['Accept', '*/*', 'Authorization', 'Basic Y2xpZW50OngK', 'Cookie', 'a=b', 'X-Amz-Date', 'd'];
const apply = (side: Side, config: Record<string, unknown>, headers: string[] = client): readonly string[] =>
  createCredentials(ClusterConfig.parse({ url: 'http://a', ...config }), { side, logger: silentLogger() }).apply(
    headers,
  );

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

  it('that are absent are replaced by own ones when both may be used', () => {
    expect(apply('source', { ...own, passClientCredentials: true }, bare)).toEqual([...bare, 'authorization', basic]);
  });
});

describe('credentials for signing', () => {
  it('need both keys', () => {
    expect(() => apply('source', { sigv4: { region: 'eu-west-1', accessKeyId: 'id' } })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});
