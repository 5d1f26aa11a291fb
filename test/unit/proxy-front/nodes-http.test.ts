import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advertisedAddress, listsNodes, rewriteNodes } from '../../../src/proxy/nodes-http.ts';

const rewritten = (text: string): string | undefined => rewriteNodes(Buffer.from(text), '127.0.0.1:9200')?.toString();

describe('a list of nodes', () => {
  it('gets the address of the sidecar for every node, and keeps every other byte', () => {
    const listing = (publish: string, bound: string, other: string): string =>
      `{ "_nodes":{"total":2},"nodes":{\n "a":{"name":"publish_address","http":{"bound_address":${bound},"publish_address" : ${publish},"max_content_length_in_bytes":104857600.0},"n":12345678901234567890},` +
      `"b":{"transport_address":"10.0.0.2:9300","http":{"publish_address":${other}}}, "c":{"name":"x"}}}`;
    const node = listing('"es1/10.0.0.1:9200"', '["[::]:9200", "10.0.0.1:9200"]', '"10.0.0.2:9200"');
    const sidecar = '"127.0.0.1:9200"';
    expect(rewritten(node)).toBe(listing(sidecar, `[${sidecar}]`, sidecar));
  });

  it.each([
    ['an error', '{"error":"x","status":400}'],
    ['another kind of nodes', '{"nodes":[{"http":{"publish_address":"a"}}]}'],
    ['not JSON', '---\nnodes:\n  a:\n    http: {}\n'],
    ['cut JSON', '{"nodes":{"a":{"http":{"publish_address":'],
    ['nothing', ''],
  ])('that is %s passes as it is', (_, text) => {
    expect(rewritten(text)).toBeUndefined();
  });

  it('never ends in an exception, and never keeps an address of a node', () => {
    const node = fc.record({ http: fc.record({ publish_address: fc.string() }), attributes: fc.jsonValue() });
    fc.assert(
      fc.property(fc.dictionary(fc.string(), node, { maxKeys: 4 }), (nodes) => {
        const text = JSON.stringify({ nodes });
        const parsed = JSON.parse(rewritten(text) ?? '');
        for (const name of Object.keys(JSON.parse(text).nodes)) {
          expect(parsed.nodes[name].http.publish_address).toBe('127.0.0.1:9200');
          expect(parsed.nodes[name].attributes).toEqual(JSON.parse(text).nodes[name].attributes);
        }
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void rewritten(text)));
  });
});

describe('requests that list nodes', () => {
  it.each([
    ['GET', '/_nodes', true],
    ['GET', '/_nodes/http', true],
    ['GET', '/_nodes/_all/http', true],
    ['GET', '/_nodes/a,b/http,settings', true],
    ['GET', '/_nodes/a', true],
    ['GET', '/_nodes/stats', false],
    ['GET', '/_nodes/a/stats/http', false],
    ['GET', '/_nodes/hot_threads', false],
    ['GET', '/_nodesx', false],
    ['GET', '/products/_nodes', false],
    ['HEAD', '/_nodes/http', false],
    ['POST', '/_nodes/reload_secure_settings', false],
  ])('%s %s: %s', (method, path, expected) => {
    expect(listsNodes(method, path)).toBe(expected);
  });
});

describe('the address told to clients', () => {
  it.each([
    ['search.local:9200', 'search.local:9200'],
    ['127.0.0.1:19200', '127.0.0.1:19200'],
    ['[::1]:9200', '[::1]:9200'],
    ['search', 'search:80'],
    ['bad host:1', '10.0.0.9:9200'],
    ['a"b', '10.0.0.9:9200'],
    ['user@host:1', '10.0.0.9:9200'],
    ['', '10.0.0.9:9200'],
    [undefined, '10.0.0.9:9200'],
  ])('for Host %j is %s', (host, expected) => {
    expect(advertisedAddress(host, { address: '10.0.0.9:9200', defaultPort: 80 })).toBe(expected);
  });

  it('has the usual port of TLS where the client came over TLS and named none', () => {
    expect(advertisedAddress('search', { address: '10.0.0.9:9200', defaultPort: 443 })).toBe('search:443');
  });
});
