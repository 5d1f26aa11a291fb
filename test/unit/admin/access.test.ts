import { describe, expect, test } from 'vitest';
import { type AccessPolicy, type AccessRequest, accessRefusal, isLoopbackAddress } from '../../../src/admin/access.ts';
import { liveness, readiness, startup } from '../../../src/admin/health.ts';

const get: AccessRequest = {
  open: false,
  method: 'GET',
  tokenMatches: undefined,
  certified: false,
  local: true,
  host: '127.0.0.1:9600',
  origin: undefined,
  fetchSite: undefined,
  contentType: undefined,
};
const post: AccessRequest = { ...get, method: 'POST', contentType: 'application/json' };
const loopback: AccessPolicy = { tokenConfigured: false, loopbackOnly: true };
const exposed: AccessPolicy = { tokenConfigured: false, loopbackOnly: false };
const withToken: AccessPolicy = { tokenConfigured: true, loopbackOnly: false };
const remote = { local: false, host: '10.0.0.7:9600' };

const rows: [string, AccessPolicy, AccessRequest, 'allowed' | 'UNAUTHORIZED' | 'FORBIDDEN'][] = [
  ['health from anywhere', exposed, { ...get, ...remote, open: true }, 'allowed'],
  ['health with a token configured and none sent', withToken, { ...get, ...remote, open: true }, 'allowed'],
  ['a read from this host without any token', loopback, get, 'allowed'],
  ['a read by the name localhost', loopback, { ...get, host: 'localhost:9600' }, 'allowed'],
  ['a read over IPv6 loopback', loopback, { ...get, host: '[::1]:9600' }, 'allowed'],
  [
    'a read through a name that was made to resolve to loopback',
    loopback,
    { ...get, host: 'evil.example' },
    'FORBIDDEN',
  ],
  ['a read without Host', loopback, { ...get, host: undefined }, 'FORBIDDEN'],
  ['a read from the pod network without a token', exposed, { ...get, ...remote }, 'FORBIDDEN'],
  ['a local read on an exposed listener without a token', exposed, get, 'FORBIDDEN'],
  ['a read without the token that is configured', withToken, get, 'UNAUTHORIZED'],
  ['a read with a wrong token', withToken, { ...get, tokenMatches: false }, 'UNAUTHORIZED'],
  ['a remote read with the token', withToken, { ...get, ...remote, tokenMatches: true }, 'allowed'],
  ['a remote read with a client certificate', withToken, { ...get, ...remote, certified: true }, 'allowed'],
  ['a change from this host without any token', loopback, post, 'allowed'],
  ['a change from the pod network without a token', exposed, { ...post, ...remote }, 'FORBIDDEN'],
  ['a remote change with the token', withToken, { ...post, ...remote, tokenMatches: true }, 'allowed'],
  ['a change with a wrong token', withToken, { ...post, tokenMatches: false }, 'UNAUTHORIZED'],
  [
    'a change of a page of our own',
    loopback,
    { ...post, origin: 'http://127.0.0.1:9600', fetchSite: 'same-origin' },
    'allowed',
  ],
  ['a change of a foreign page', loopback, { ...post, origin: 'https://evil.example' }, 'FORBIDDEN'],
  ['a change of a foreign page on the same host', loopback, { ...post, origin: 'http://127.0.0.1:8080' }, 'FORBIDDEN'],
  ['a change of a sandboxed page', loopback, { ...post, origin: 'null' }, 'FORBIDDEN'],
  ['a cross-site change without Origin', loopback, { ...post, fetchSite: 'cross-site' }, 'FORBIDDEN'],
  ['a change posted by a form', loopback, { ...post, contentType: 'application/x-www-form-urlencoded' }, 'FORBIDDEN'],
  ['a change posted as text', loopback, { ...post, contentType: 'text/plain' }, 'FORBIDDEN'],
  ['a change with a charset', loopback, { ...post, contentType: 'application/json; charset=utf-8' }, 'allowed'],
  [
    'a foreign page even with the token',
    withToken,
    { ...post, tokenMatches: true, origin: 'https://evil.example' },
    'FORBIDDEN',
  ],
  ['a read of a page of our own', loopback, { ...get, fetchSite: 'same-origin' }, 'allowed'],
  ['a read that a foreign page sends', loopback, { ...get, fetchSite: 'cross-site' }, 'FORBIDDEN'],
  ['a read of a page on another port of this host', loopback, { ...get, fetchSite: 'same-site' }, 'FORBIDDEN'],
  [
    'the page itself, from a link on another site',
    loopback,
    { ...get, open: true, fetchSite: 'cross-site' },
    'allowed',
  ],
  ['another method that changes', loopback, { ...post, method: 'DELETE', contentType: undefined }, 'FORBIDDEN'],
];

describe('access to the admin listener', () => {
  test.each(rows)('%s', (_, policy, request, expected) => {
    expect(accessRefusal(policy, request)?.code ?? 'allowed').toBe(expected);
  });

  test.each([
    ['127.0.0.1', true],
    ['127.8.9.10', true],
    ['::ffff:127.0.0.1', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.127.0.1', false],
    ['127.evil.example', false],
    ['127.0.0.1.evil.example', false],
  ])('%s is on this host: %s', (address, expected) => {
    expect(isLoopbackAddress(address)).toBe(expected);
  });
});

describe('the probes', () => {
  const serving = { lifecycle: 'serving', unknownAuthority: [] } as const;

  test.each([
    ['starting', false, false],
    ['serving', true, true],
    ['draining', true, false],
    ['stopped', true, false],
  ] as const)('while %s: started %s, ready %s, always alive', (lifecycle, started, ready) => {
    const facts = { ...serving, lifecycle };
    expect([startup(facts).ok, readiness(facts).ok, liveness().ok]).toEqual([started, ready, true]);
  });

  test('a member that cannot tell an authority is not ready and says for which route', () => {
    expect(readiness({ ...serving, unknownAuthority: ['products'] })).toEqual({
      ok: false,
      status: 'serving',
      reasons: ['the authority of products is not known'],
    });
  });
});
