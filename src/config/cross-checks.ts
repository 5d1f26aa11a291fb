/**
 * Rules over several settings, as a table: each looks at the values as given, before defaults, and says what is wrong
 * where. They run even when the schema has already refused something, so that one start reports every mistake; for that
 * reason they take nothing for granted about types.
 */
import { valueAt } from './issues.ts';

export type Finding = { readonly path: readonly PropertyKey[]; readonly expected: string };
type Rule = (values: unknown) => Finding[];

const text = (values: unknown, path: readonly PropertyKey[], fallback = ''): string => {
  const value = valueAt(values, path);
  return typeof value === 'string' ? value : fallback;
};
const given = (values: unknown, path: readonly PropertyKey[]): boolean => valueAt(values, path) !== undefined;
const list = (values: unknown, path: readonly PropertyKey[]): unknown[] => {
  const value = valueAt(values, path);
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
};
const clusterPaths = [
  ['clusters', 'source'],
  ['clusters', 'target'],
] as const;

const splitAddress = (address: string): { host: string; port: number } => {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
};
const everyHost = ['0.0.0.0', '::'];
const loopback = ['127.0.0.1', '::1', 'localhost'];
const meet = (a: string, b: string): boolean =>
  a === b ||
  everyHost.includes(a) ||
  everyHost.includes(b) ||
  (loopback.includes(a) && loopback.includes(b) && (a === 'localhost' || b === 'localhost'));

const listeners: Rule = (values) => {
  const app = splitAddress(text(values, ['listen'], '127.0.0.1:9200'));
  const admin = splitAddress(text(values, ['admin', 'listen'], '127.0.0.1:9600'));
  const taken = app.port !== 0 && app.port === admin.port && meet(app.host, admin.host);
  return taken ? [{ path: ['admin', 'listen'], expected: 'an address other than listen' }] : [];
};

const ports: Rule = (values) =>
  [['listen'], ['admin', 'listen']]
    .filter((path) => splitAddress(text(values, path, ':0')).port > 65_535)
    .map((path) => ({ path, expected: 'host:port with a port of at most 65535' }));

/** A secret may stand in the configuration or in a file, not in both. */
const secretOnce: Rule = (values) =>
  [
    ...clusterPaths.flatMap((path) => [
      [...path, 'password'],
      [...path, 'apiKey'],
      [...path, 'sigv4', 'accessKeyId'],
      [...path, 'sigv4', 'secretAccessKey'],
      [...path, 'sigv4', 'sessionToken'],
    ]),
    ['nats', 'password'],
    ['nats', 'token'],
    ['admin', 'token'],
  ]
    .map((path) => ({ path, file: [...path.slice(0, -1), `${path.at(-1)}File`] }))
    .filter(({ path, file }) => given(values, path) && given(values, file))
    .map(({ path, file }) => ({ path, expected: `either ${path.join('.')} or ${file.join('.')}, not both` }));

const clusterAuth: Rule = (values) =>
  clusterPaths.flatMap((path) => {
    const has = (field: string) => given(values, [...path, field]);
    const ways = [has('username'), has('apiKey') || has('apiKeyFile'), has('sigv4')].filter(Boolean).length;
    const password = has('password') || has('passwordFile');
    return [
      ...(ways > 1 ? [{ path, expected: 'only one of username, apiKey and sigv4' }] : []),
      ...(has('username') && !password
        ? [{ path: [...path, 'password'], expected: 'password or passwordFile beside username' }]
        : []),
      ...(password && !has('username')
        ? [{ path: [...path, 'username'], expected: 'username beside the password' }]
        : []),
    ];
  });

const sigV4Keys: Rule = (values) =>
  clusterPaths
    .map((path) => [...path, 'sigv4'])
    .filter((path) => given(values, path))
    .flatMap((path) =>
      ['accessKeyId', 'secretAccessKey']
        .filter((field) => !given(values, [...path, field]) && !given(values, [...path, `${field}File`]))
        .map((field) => ({ path: [...path, field], expected: `${field} or ${field}File` })),
    );

const natsAuth: Rule = (values) => {
  const has = (field: string) => given(values, ['nats', field]);
  const ways = [has('credentialsFile'), has('username'), has('token') || has('tokenFile')].filter(Boolean).length;
  return [
    ...(ways > 1 ? [{ path: ['nats'], expected: 'only one of credentialsFile, username and token' }] : []),
    ...(has('username') && !has('password') && !has('passwordFile')
      ? [{ path: ['nats', 'password'], expected: 'password or passwordFile beside username' }]
      : []),
  ];
};

/** A signature covers the host, so there can be only one. */
const signedUrls: Rule = (values) =>
  clusterPaths
    .filter((path) => given(values, [...path, 'sigv4']) && list(values, [...path, 'url']).length > 1)
    .map((path) => ({ path: [...path, 'url'], expected: 'exactly one URL beside sigv4' }));

const bareUrls: Rule = (values) =>
  clusterPaths
    .map((path) => [...path, 'url'])
    .filter((path) => list(values, path).some((url) => typeof url === 'string' && /[?#]/.test(url)))
    .map((path) => ({ path, expected: 'scheme, host, port and path only' }));

/** Credentials in URLs reach logs, error texts and process lists. */
const plainUrls: Rule = (values) =>
  [...clusterPaths.map((path) => [...path, 'url']), ['nats', 'servers']].flatMap((path) =>
    list(values, path).some((url) => typeof url === 'string' && url.includes('@'))
      ? [{ path, expected: 'no credentials in the URL; use username with password or passwordFile' }]
      : [],
  );

const tlsPairs: Rule = (values) =>
  [...clusterPaths.map((path) => [...path, 'tls']), ['nats', 'tls']].flatMap((path) =>
    given(values, [...path, 'certFile']) === given(values, [...path, 'keyFile'])
      ? []
      : [{ path, expected: 'certFile and keyFile together' }],
  );

const seeds: Rule = (values) => {
  const seen = new Set<unknown>();
  return list(values, ['routes']).flatMap((_, i) => {
    const slug = valueAt(values, ['routes', i, 'route']);
    const twice = slug !== undefined && seen.has(slug);
    seen.add(slug);
    return twice ? [{ path: ['routes', i, 'route'], expected: 'a name that no other route has' }] : [];
  });
};

const rules: readonly Rule[] = [
  listeners,
  ports,
  secretOnce,
  clusterAuth,
  sigV4Keys,
  signedUrls,
  bareUrls,
  natsAuth,
  plainUrls,
  tlsPairs,
  seeds,
];

export const crossCheck = (values: unknown): Finding[] => rules.flatMap((rule) => rule(values));
