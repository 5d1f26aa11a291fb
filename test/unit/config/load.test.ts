import { describe, expect, test } from 'vitest';
import { renderIssues } from '../../../src/config/issues.ts';
import { configNode, configSettings, loadCliConfig, loadConfig } from '../../../src/config/load.ts';
import { memberName } from '../../../src/config/member.ts';
import { redacted } from '../../../src/config/redact.ts';
import { readRouteFile } from '../../../src/config/route-file.ts';
import { type SchemaNode, schemaNode } from '../../../src/config/settings.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';

const url = 'http://127.0.0.1:9201';
const minimal = `clusters: { source: { url: "${url}" } }`;
const good = (fileText: string, env: Record<string, string> = {}) => {
  const loaded = loadConfig({ fileText, env });
  if (!loaded.ok) throw new Error(renderIssues(loaded.issues));
  return loaded.config;
};
const issuesOf = (fileText: string | undefined, env: Record<string, string> = {}) => {
  const loaded = loadConfig({ fileText, env });
  return loaded.ok ? [] : loaded.issues;
};

/** Each level names the one before ten times. */
const manyAliases = ['b', 'c', 'd', 'e']
  .map((name, i) => `${name}: &${name} [${Array(10).fill(`*${'abcd'[i]}`).join(', ')}]`)
  .join('\n');

describe('a valid configuration', () => {
  test('needs nothing but the URL of the source, and has a default for the rest', () => {
    const config = good(minimal);
    expect(config.listen).toBe('127.0.0.1:9200');
    expect(config.admin.listen).toBe('127.0.0.1:9600');
    expect(config.clusters.source.url).toEqual([url]);
    expect(config.limits.maxBodyBytes).toBe(104_857_600);
    expect(config.nats).toBeUndefined();
    expect(config.store.file).toBe('./crossfade-state.json');
  });

  test('may come from the environment alone', () => {
    const loaded = loadConfig({ env: { CROSSFADE_CLUSTERS_SOURCE_URL: url } });
    expect(loaded.ok && loaded.config.clusters.source.url).toEqual([url]);
  });

  test('may be JSON', () => {
    expect(good(JSON.stringify({ clusters: { source: { url: [url] } }, log: { level: 'debug' } })).log.level).toBe(
      'debug',
    );
  });

  test('treats a section with everything commented out as not set', () => {
    expect(good(`${minimal}\nadmin:\nlimits:\n  # maxBodyBytes: 1\n`).admin.listen).toBe('127.0.0.1:9600');
  });

  test.each([
    ['CROSSFADE_LISTEN', '0.0.0.0:9299', ['listen'], '0.0.0.0:9299'],
    ['CROSSFADE_ADMIN_LISTEN', '[::1]:9601', ['admin', 'listen'], '[::1]:9601'],
    ['CROSSFADE_MEMBER', 'gateway-0', ['member'], 'gateway-0'],
    ['CROSSFADE_CLUSTERS_TARGET_URL', `${url},https://b:9200`, ['clusters', 'target', 'url'], [url, 'https://b:9200']],
    ['CROSSFADE_CLUSTERS_SOURCE_TLS_VERIFY', 'false', ['clusters', 'source', 'tls', 'verify'], false],
    ['CROSSFADE_NATS_SERVERS', 'nats://a:4222, nats://b:4222', ['nats', 'servers'], ['nats://a:4222', 'nats://b:4222']],
    ['CROSSFADE_LIMITS_MAX_BODY_BYTES', '2048', ['limits', 'maxBodyBytes'], 2048],
    ['CROSSFADE_STORE_FILE', '/data/state.json', ['store', 'file'], '/data/state.json'],
    ['CROSSFADE_SHUTDOWN_GRACE_MS', '0', ['shutdown', 'graceMs'], 0],
    ['CROSSFADE_SIDE_HEADER', 'false', ['sideHeader'], false],
    ['CROSSFADE_ADMIN_TOKEN', 'secret with blank \n', ['admin', 'token'], 'secret with blank '],
  ] as const)('takes %s=%j over the file', (variable, text, path, expected) => {
    const config = good(`${minimal}\nlisten: 127.0.0.1:1111\n`, { [variable]: text });
    expect(path.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], config)).toEqual(expected);
  });

  test('takes routes from a variable as YAML or JSON', () => {
    const config = good(minimal, { CROSSFADE_ROUTES: '[{ route: p, indices: [{ source: a, target: b }] }]' });
    expect(config.routes[0]?.indices).toEqual([{ source: 'a', target: 'b' }]);
  });

  test.each([
    ['an empty variable', { CROSSFADE_ADMIN_TOKEN: '' }],
    ['a variable of the test services', { CROSSFADE_TEST_SOURCE_URL: url }],
    ['a variable of the command line', { CROSSFADE_CONFIG: 'x.yaml' }],
    [
      'what Kubernetes injects for a Service named crossfade',
      { CROSSFADE_SERVICE_HOST: '10.0.0.1', CROSSFADE_PORT: 'tcp://10.0.0.1:9200' },
    ],
    [
      'what Kubernetes injects for a Service named crossfade-nats',
      { CROSSFADE_NATS_PORT_4222_TCP_ADDR: '10.0.0.2', CROSSFADE_NATS_SERVICE_PORT_CLIENT: '4222' },
    ],
    ['variables of others', { PATH: '/bin', CROSSFADER: '1' }],
  ])('is not disturbed by %s', (_, env) => {
    expect(issuesOf(minimal, env as unknown as Record<string, string>)).toEqual([]);
  });

  test('of the command line needs no cluster', () => {
    const loaded = loadCliConfig({ env: { CROSSFADE_NATS_SERVERS: 'nats://a:4222' } });
    expect(loaded.ok && loaded.config.nats?.servers).toEqual(['nats://a:4222']);
  });
});

/** Each row is one mistake: what is written, where it is reported, the value shown, the form expected. */
const source = (fields: string) => `clusters: { source: { url: "${url}", ${fields} } }`;
const route = (fields: string) => `${minimal}\nroutes: [{ route: p, indices: [{ source: a, target: b }], ${fields} }]`;
const mistakes: [title: string, file: string, path: string, value: string | undefined, expected: RegExp][] = [
  [
    'no cluster at all',
    'listen: 127.0.0.1:9200',
    'clusters.source.url',
    undefined,
    /URL.*CROSSFADE_CLUSTERS_SOURCE_URL/,
  ],
  ['another protocol', 'clusters: { source: { url: "ftp://x" } }', 'clusters.source.url', '"ftp://x"', /https?:\/\//],
  ['an empty list of URLs', 'clusters: { source: { url: [] } }', 'clusters.source.url', 'a list of 0', /URL/],
  ['an address without port', `${minimal}\nlisten: localhost`, 'listen', '"localhost"', /host:port/],
  ['a port beyond 65535', `${minimal}\nlisten: 127.0.0.1:70000`, 'listen', '"127.0.0.1:70000"', /65535/],
  [
    'the admin listener on the same address',
    `${minimal}\nadmin: { listen: "127.0.0.1:9200" }`,
    'admin.listen',
    '"127.0.0.1:9200"',
    /other than listen/,
  ],
  [
    'the admin listener under every address',
    `${minimal}\nadmin: { listen: "0.0.0.0:9200" }`,
    'admin.listen',
    '"0.0.0.0:9200"',
    /other than listen/,
  ],
  [
    'an unknown field',
    `${minimal}\nlimits: { maxBodyByte: 5000 }`,
    'limits.maxBodyByte',
    '[hidden]',
    /did you mean maxBodyBytes/,
  ],
  ['an unknown section', `${minimal}\nwhatever: { a: 1 }`, 'whatever', 'a section', /known here: listen/],
  [
    'text for a number',
    `${minimal}\nlimits: { maxBodyBytes: lots }`,
    'limits.maxBodyBytes',
    '"lots"',
    /whole number, at least 1024/,
  ],
  [
    'a number below the least',
    `${minimal}\nlimits: { maxBodyBytes: 10 }`,
    'limits.maxBodyBytes',
    '10',
    /at least 1024/,
  ],
  [
    'a time that no timer waits for',
    `${minimal}\nshutdown: { graceMs: 2147483648 }`,
    'shutdown.graceMs',
    '2147483648',
    /at most 1000000000/,
  ],
  [
    'such a time in a route',
    route('cutover: { budgetMs: 3000000000 }'),
    'routes.0.cutover.budgetMs',
    '3000000000',
    /at most 1000000000/,
  ],
  [
    'a fraction for a whole number',
    `${minimal}\nlimits: { maxConnections: 1.5 }`,
    'limits.maxConnections',
    '1.5',
    /whole number/,
  ],
  ['text for a flag', `${minimal}\nsideHeader: "yes"`, 'sideHeader', '"yes"', /true or false/],
  ['an unknown log level', `${minimal}\nlog: { level: loud }`, 'log.level', '"loud"', /one of trace, debug/],
  ['a member name with a blank', `${minimal}\nmember: a b`, 'member', '"a b"', /letters, digits/],
  ['a scalar for a section', `${minimal}\nadmin: token123`, 'admin', '[hidden]', /section with the fields/],
  [
    'two ways to authenticate',
    source('username: u, password: p, apiKey: k'),
    'clusters.source',
    'a section',
    /only one of username/,
  ],
  ['a user without password', source('username: u'), 'clusters.source.password', undefined, /password or passwordFile/],
  ['a password without user', source('password: hunter2'), 'clusters.source.username', undefined, /username beside/],
  [
    'a secret twice',
    source('username: u, password: hunter2, passwordFile: /f'),
    'clusters.source.password',
    '[hidden]',
    /not both/,
  ],
  [
    'credentials in the URL',
    'clusters: { source: { url: "http://u:hunter2@h:9200" } }',
    'clusters.source.url',
    '"http://[hidden]@h:9200"',
    /no credentials/,
  ],
  [
    'a URL with a query',
    'clusters: { source: { url: "http://h:9200/?pretty" } }',
    'clusters.source.url',
    '"http://h:9200/?pretty"',
    /path only/,
  ],
  [
    'SigV4 for two URLs',
    'clusters: { source: { url: ["http://a", "http://b"], sigv4: { region: r, accessKeyId: a, secretAccessKey: b } } }',
    'clusters.source.url',
    'a list of 2',
    /exactly one URL/,
  ],
  ['a client certificate without key', source('tls: { certFile: /c }'), 'clusters.source.tls', 'a section', /together/],
  [
    'SigV4 without keys',
    source('sigv4: { region: eu-west-1, accessKeyId: a }'),
    'clusters.source.sigv4.secretAccessKey',
    undefined,
    /secretAccessKeyFile/,
  ],
  [
    'SigV4 for an unknown service',
    source('sigv4: { region: r, service: s3, accessKeyId: a, secretAccessKey: b }'),
    'clusters.source.sigv4.service',
    '"s3"',
    /one of es, aoss/,
  ],
  [
    'a listener certificate without key',
    `${minimal}\ntls: { certFile: /c }`,
    'tls.keyFile',
    undefined,
    /CROSSFADE_TLS_KEY_FILE/,
  ],
  ['NATS without servers', `${minimal}\nnats: { bucket: b }`, 'nats.servers', undefined, /list of: nats/],
  [
    'one NATS server as text',
    `${minimal}\nnats: { servers: "nats://a:1" }`,
    'nats.servers',
    '"nats://a:1"',
    /list of: nats/,
  ],
  [
    'a NATS server that is no address',
    `${minimal}\nnats: { servers: ["http://a b"] }`,
    'nats.servers.0',
    '"http://a b"',
    /nats:\/\/host:port/,
  ],
  [
    'a bucket name with a dot',
    `${minimal}\nnats: { servers: [a], bucket: a.b }`,
    'nats.bucket',
    '"a.b"',
    /letters, digits/,
  ],
  [
    'more bucket replicas than NATS has',
    `${minimal}\nnats: { servers: [a], replicas: 7 }`,
    'nats.replicas',
    '7',
    /at most 5/,
  ],
  [
    'two ways to authenticate with NATS',
    `${minimal}\nnats: { servers: [a], token: t, credentialsFile: /c }`,
    'nats',
    'a section',
    /only one of/,
  ],
  ['a route name in capitals', route('x: 1').replace('route: p', 'route: P'), 'routes.0.route', '"P"', /lower-case/],
  ['a route with an unknown policy', route('ackPolicy: all'), 'routes.0.ackPolicy', '"all"', /one of authority, both/],
  [
    'an alias over a foreign index',
    route('aliases: [{ name: q, writeIndex: z }]'),
    'routes.0.aliases.0',
    'a section',
    /z is not a source index/,
  ],
  [
    'a route twice',
    `${route('ackPolicy: both').replace(/]$/, '')}, { route: p, indices: [{ source: c, target: d }] }]`,
    'routes.1.route',
    '"p"',
    /no other route/,
  ],
  ['a file that is not YAML', 'a: [1', '', undefined, /YAML or JSON/],
  ['a key twice', 'listen: a:1\nlisten: b:1', '', undefined, /unique/],
  ['a file that is a list', '- a', '', undefined, /mapping/],
];

describe('a mistake', () => {
  test.each(mistakes)('%s is reported with path, value and form', (_, file, path, value, expected) => {
    const found = issuesOf(file).find((issue) => issue.path === path && expected.test(issue.expected));
    expect(found, renderIssues(issuesOf(file))).toBeDefined();
    expect(found?.value).toBe(value);
  });

  test.each([
    [
      'an unknown variable',
      { CROSSFADE_CLUSTER_SOURCE_URL: url },
      'CROSSFADE_CLUSTER_SOURCE_URL',
      /did you mean CROSSFADE_CLUSTERS_SOURCE_URL/,
    ],
    ['text for a number', { CROSSFADE_LIMITS_MAX_BODY_BYTES: '1e9' }, 'limits.maxBodyBytes', /whole number/],
    ['another word for true', { CROSSFADE_SIDE_HEADER: 'on' }, 'sideHeader', /true or false/],
    ['routes that are no list', { CROSSFADE_ROUTES: '{' }, 'routes', /list/],
  ])('in the environment, %s, is reported', (_, env, path, expected) => {
    const found = issuesOf(minimal, env as unknown as Record<string, string>).find((issue) => issue.path === path);
    expect(found?.expected).toMatch(expected);
  });

  test('names the variable that the value came from', () => {
    const [issue] = issuesOf(minimal, { CROSSFADE_LISTEN: 'nowhere' });
    expect(issue).toMatchObject({ path: 'listen', from: 'CROSSFADE_LISTEN', value: '"nowhere"' });
  });

  test('does not hide the others: rules over several fields run even when a field has the wrong type', () => {
    const paths = issuesOf(
      `clusters: { source: { url: 1, username: u } }\nlisten: x\nlog: { level: loud }\nbogus: 1\nadmin: { listen: "a:99999" }`,
      { CROSSFADE_TYPO: '1' },
    ).map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        'clusters.source.url',
        'clusters.source.password',
        'listen',
        'log.level',
        'bogus',
        'admin.listen',
        'CROSSFADE_TYPO',
      ]),
    );
  });

  test('never shows a secret, wherever it was mistyped', () => {
    const planted = 'hunter2';
    const text = renderIssues(
      issuesOf(
        `clusters: { source: { url: ["http://u:${planted}@h"], passwrd: ${planted}, apiKey: [${planted}], username: u, password: ${planted}, passwordFile: /f } }\nadmin: { token: { a: ${planted} } }\nnats: ${planted}`,
        {
          CROSSFADE_ADMIN_TOKN: planted,
          CROSSFADE_CLUSTERS_TARGET_API_KEY: planted,
          CROSSFADE_CLUSTERS_TARGET_API_KEY_FILE: '/f',
        },
      ),
    );
    expect(text).toContain('mistakes');
    expect(text).not.toContain(planted);
  });

  test.each([
    ['a bracket that is not closed', 'nats: { password: hunter2'],
    ['an alias without an anchor', 'nats: { password: *hunter2 }'],
    ['an alias that is merged', 'nats: { <<: *hunter2 }'],
    ['a block that is none', 'nats:\n  password: |hunter2'],
    ['a tag', 'nats: { password: !hunter2!x }'],
    ['more aliases than anybody writes', `a: &a [hunter2]\n${manyAliases}`],
  ])('in YAML does not quote the file, which may hold a secret: %s', (_, text) => {
    const shown = renderIssues(issuesOf(text));
    expect(shown).toContain('configuration: 1 mistake\n  file not set; expected YAML or JSON; ');
    expect(shown).not.toContain('hunter2');
    expect(readRouteFile(text)).toMatchObject({
      ok: false,
      issues: [{ path: '', expected: expect.stringMatching(/YAML or JSON/) }],
    });
  });

  test.each(['https://u:hun/ter2@h:9200', 'https://u:p@hunter2@h', 'https://u:hun ter2@h', 'u:hun/ter2@h:4222'])(
    'in %j shows no part of a password',
    (text) => {
      const shown = issuesOf(`${minimal}\nadmin: { listen: "${text}" }`).map(({ value }) => value);
      expect(shown.join()).toContain('[hidden]@h');
      expect(shown.join()).not.toMatch(/hun|ter2/);
    },
  );
});

/** Every field of a schema whose name ends in Ms, by path. */
const timesIn = (node: SchemaNode, path: string): [string, SchemaNode][] =>
  Object.entries(node.properties ?? {}).flatMap(([key, child]) => [
    ...(key.endsWith('Ms') ? [[`${path}${key}`, child] satisfies [string, SchemaNode]] : []),
    ...timesIn(child, `${path}${key}.`),
  ]);

describe('times', () => {
  test.each([...timesIn(configNode, ''), ...timesIn(schemaNode(RouteSpec), 'routes.')])(
    '%s ends where timers do',
    (_, { maximum = Infinity }) => {
      expect(maximum).toBeLessThanOrEqual(1_000_000_000);
    },
  );
});

describe('the environment variables', () => {
  test('are unique', () => {
    expect(new Set(configSettings.map(({ variable }) => variable)).size).toBe(configSettings.length);
  });
});

describe('the effective configuration', () => {
  test('is shown without secrets and with everything else', () => {
    const config = good(
      `${source('username: u, password: hunter2')}\nadmin: { token: hunter2 }\nnats: { servers: [a], token: hunter2 }`,
    );
    const shown = JSON.stringify(redacted(config, configNode));
    expect(shown).not.toContain('hunter2');
    expect(shown).toContain('"username":"u"');
    expect(shown).toContain('"servers":["a"]');
  });
});

describe('the member name', () => {
  test.each([
    [{ member: 'm', env: { POD_NAME: 'p' }, hostName: 'h' }, 'm'],
    [{ member: undefined, env: { POD_NAME: 'p-0' }, hostName: 'h' }, 'p-0'],
    [{ member: undefined, env: { POD_NAME: '' }, hostName: 'h.local' }, 'h.local'],
    [{ member: undefined, env: {}, hostName: "Ann's host" }, 'Ann-s-host'],
    [{ member: undefined, env: {}, hostName: '' }, 'crossfade'],
  ])('of %j is %s', (identity, expected) => {
    expect(memberName(identity)).toBe(expected);
  });
});
