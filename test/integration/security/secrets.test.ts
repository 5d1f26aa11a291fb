/**
 * Secrets and document values are planted everywhere a real run meets them: credentials of clients and of the
 * configuration, a token, a document, a query, a document that the target refuses, an error that nobody planned for.
 * Then everything the process wrote or answers is searched for them, at every log level.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, must, startAgent, statusAt } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';
import { dropStreams, withNats } from '../coordination/nats-admin.ts';
import { type RecordingFront, recordingFront } from './recording-front.ts';

const planted = {
  clientPassword: 'planted-Client-pass-1',
  cookie: 'planted-Cookie-2',
  targetPassword: 'planted-"Target"-pass-3',
  adminToken: 'planted-Admin-token-4',
  document: 'plantedDocumentValue5',
  query: 'plantedQueryValue6',
  refused: 'plantedRefusedValue7',
};
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const clientAuthorization = basic('app', planted.clientPassword);
const targetAuthorization = basic('mover', planted.targetPassword);
/** What must be found nowhere, in the forms it may take. */
const secrets = [
  ...Object.values(planted),
  JSON.stringify(planted.targetPassword).slice(1, -1),
  clientAuthorization.slice(6),
  targetAuthorization.slice(6),
];

let urls: Awaited<ReturnType<typeof services>>;
let source: RecordingFront;
let target: RecordingFront;
let agent: AgentProcess;
let slug: string;
let bucket: string;
let folder: string;

beforeAll(async () => {
  urls = await services();
});
beforeEach(async () => {
  slug = uniqueName('secret');
  bucket = uniqueName('secret');
  folder = mkdtempSync(join(tmpdir(), 'crossfade-secret-'));
  writeFileSync(join(folder, 'target-password'), planted.targetPassword);
  source = await recordingFront(urls.sourceUrl);
  target = await recordingFront(urls.targetUrl);
  const settings = { number_of_replicas: 0 };
  await admin(urls.sourceUrl, `${slug}_v1`, { settings, mappings: { properties: { n: { type: 'keyword' } } } });
  await admin(urls.targetUrl, `${slug}_v2`, { settings, mappings: { properties: { n: { type: 'long' } } } });
});
afterEach(async () => {
  await agent?.stop();
  for (const [url, index] of [
    [urls.sourceUrl, `${slug}_v1`],
    [urls.targetUrl, `${slug}_v2`],
  ])
    await fetch(`${url}/${index}`, { method: 'DELETE' });
  await Promise.all([source.close(), target.close()]);
  await dropStreams(urls.natsUrl, bucket);
  rmSync(folder, { recursive: true, force: true });
});

const admin = (url: string, index: string, body: unknown) =>
  fetch(`${url}/${index}`, {
    method: 'PUT',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });

const environment = () => ({ CROSSFADE_NATS_SERVERS: urls.natsUrl, CROSSFADE_NATS_BUCKET: bucket });

const start = async (env: Record<string, string> = {}): Promise<void> => {
  agent = await startAgent({
    env: {
      ...environment(),
      CROSSFADE_STATE_DIR: folder,
      CROSSFADE_CLUSTERS_SOURCE_URL: source.url,
      CROSSFADE_CLUSTERS_TARGET_URL: target.url,
      CROSSFADE_CLUSTERS_TARGET_USERNAME: 'mover',
      CROSSFADE_CLUSTERS_TARGET_PASSWORD_FILE: join(folder, 'target-password'),
      CROSSFADE_ADMIN_TOKEN: planted.adminToken,
      ...env,
    },
  });
  const file = join(folder, 'route.yaml');
  // Not asked again: whether a difference lasts is no matter here, and would take a quarter of a minute.
  const spec = [
    `route: ${slug}`,
    `indices: [{ source: ${slug}_v1, target: ${slug}_v2 }]`,
    'shadow: { recheck: false }',
  ];
  writeFileSync(file, `${spec.join('\n')}\n`);
  for (const args of [
    ['apply', '-f', file],
    ['phase', slug, 'dual'],
    ['route', 'set', `${slug}.pct.shadow`, '100'],
  ])
    await must(crossfade(args, environment()));
};

const send = (path: string, method: string, body?: unknown) =>
  fetch(`${agent.url}/${slug}_v1/${path}`, {
    method,
    headers: {
      'content-type': 'application/json',
      authorization: clientAuthorization,
      cookie: `sid=${planted.cookie}`,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** Writes, a document that the target refuses, reads that differ, and requests that fail. */
const use = async (): Promise<void> => {
  for (let i = 0; i < 10; i++)
    expect((await send(`_doc/${i}?refresh=true`, 'PUT', { n: i, name: planted.document })).status).toBe(201);
  expect((await send('_doc/refused?refresh=true', 'PUT', { n: planted.refused })).status).toBe(201);
  for (let i = 0; i < 10; i++)
    await send('_search', 'POST', { query: { query_string: { query: `${planted.query} OR ${planted.document}` } } });
  // The refused document is a hit on one side only: a mismatch, with a document to show.
  for (let i = 0; i < 5; i++) await send('_search', 'POST', { size: 20, query: { match_all: {} } });
  await send(`_search?q=${planted.query}`, 'GET');
  await send('_search', 'POST', { query: { [planted.query]: {} } });
  await eventually(async () => (await statusOf()).copies.quarantined === 1, { what: 'a quarantined copy' });
  await eventually(async () => (await statusOf()).shadow.mismatched > 0, { timeoutMs: 30_000, what: 'a mismatch' });
  await eventually(async () => (await samples()).includes('"severity"'), { timeoutMs: 30_000, what: 'a kept sample' });
};

const samples = async (): Promise<string> => {
  const headers = { authorization: `Bearer ${planted.adminToken}` };
  return (await fetch(`${agent.adminUrl}/api/routes/${slug}/discrepancies`, { headers })).text();
};

const statusOf = () => statusAt(agent, slug, planted.adminToken);

const answers = async (): Promise<[string, string][]> => {
  const paths = ['/metrics', '/livez', '/readyz', '/startupz'];
  const api = ['status', 'self', 'members', 'routes'].map((name) => `/api/${name}`);
  const route = ['', '/audit', '/ask', '/discrepancies'].map((name) => `/api/routes/${slug}${name}`);
  const headers = { authorization: `Bearer ${planted.adminToken}` };
  const asked = [...paths, ...api, ...route].map(async (path): Promise<[string, string]> => {
    const answer = await fetch(`${agent.adminUrl}${path}`, { headers });
    expect(answer.status, path).toBe(200);
    return [path, await answer.text()];
  });
  return Promise.all(asked);
};

const stored = (): Promise<[string, string][]> =>
  withNats(urls.natsUrl, async (connection) => {
    const kvm = new Kvm(connection);
    const found: [string, string][] = [];
    for (const name of [bucket, `${bucket}_live`]) {
      const kv = await kvm.open(name);
      for await (const key of await kv.keys()) found.push([`${name} ${key}`, (await kv.get(key))?.string() ?? '']);
    }
    return found;
  });

const files = (): [string, string][] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== 'target-password' && statSync(join(folder, name)).isFile())
    .map((name) => [name, readFileSync(join(folder, name), 'utf8')]);

const printed = async (): Promise<[string, string][]> => {
  const commands = [
    ['status', slug],
    ['status', slug, '--json'],
    ['members', '--json'],
    ['audit', slug],
    ['verify', slug, '--mode', 'full', '--wait', '--json'],
  ];
  const ran: [string, string][] = [];
  for (const args of commands) {
    const { out, err } = await crossfade(args, environment());
    ran.push([args.join(' '), `${out}${err}`]);
  }
  const withToken = { ...environment(), CROSSFADE_ADMIN_TOKEN: planted.adminToken };
  const { out, err, exit } = await crossfade(['discrepancies', slug, '--json'], withToken);
  expect(exit).toBe(0);
  expect(out).toContain('"severity"');
  return [...ran, ['discrepancies', `${out}${err}`]];
};

const leaksIn = (texts: readonly [string, string][]): string[] =>
  texts.flatMap(([where, text]) =>
    secrets.filter((secret) => text.includes(secret)).map((secret) => `${where} holds ${secret}`),
  );

describe('nothing that a process says or keeps holds a secret or what a document says', () => {
  test('in answers, metrics, the store, files, commands and the log at the most talkative level', async () => {
    await start({ CROSSFADE_LOG_LEVEL: 'trace' });
    await use();
    const texts = [...(await answers()), ...(await stored()), ...files(), ...(await printed())];
    expect(leaksIn([...texts, ['log', agent.output()]])).toEqual([]);
    // The search itself works: what was planted did pass through, and ids are shown.
    expect(target.credentials()).toContain(targetAuthorization);
    expect(texts.map(([, text]) => text).join()).toContain('refused');
  }, 180_000);

  // What levels above write, info writes too.
  test.each(['debug', 'info'])(
    'in the log at level %s, with both clusters failing at the end',
    async (level) => {
      await start({ CROSSFADE_LOG_LEVEL: level });
      await use();
      await Promise.all([source.close(), target.close()]);
      await send('_doc/late', 'PUT', { n: 1, name: planted.document }).catch(() => undefined);
      expect(await agent.stop()).toBe(0);
      expect(leaksIn([['output', agent.output()]])).toEqual([]);
    },
    120_000,
  );

  test('in the last words of a process that an unplanned error ends, whatever the error quotes', async () => {
    const message = `cannot log in as mover with ${planted.targetPassword}, sent ${clientAuthorization} to http://mover:${planted.clientPassword}@target/`;
    const module = join(folder, 'unplanned.mjs');
    const cause = `new Error(${JSON.stringify(planted.adminToken)})`;
    writeFileSync(
      module,
      `process.on('SIGUSR2', () => { throw new Error(${JSON.stringify(message)}, { cause: ${cause} }) })`,
    );
    await start({ NODE_OPTIONS: `--import=${module}` });
    agent.signal('SIGUSR2');
    expect(await agent.exit()).toBe(70);
    expect(agent.output()).toContain('cannot log in as mover with [redacted]');
    expect(leaksIn([['output', agent.output()]])).toEqual([]);
  }, 60_000);
});

describe('credentials', () => {
  test('of clients reach the source and nobody else; the target gets its own, also for copies and shadow reads', async () => {
    await start();
    await use();
    expect(source.credentials()).toContain(clientAuthorization);
    expect(source.credentials()).not.toContain(targetAuthorization);
    expect(target.credentials().filter((credential) => credential !== targetAuthorization)).toEqual([]);
    await crossfade(['route', 'set', `${slug}.pct.read`, '100'], environment());
    await eventually(
      async () => (await send('_search?preference=me', 'GET')).headers.get('x-crossfade-side') === 'target',
      {
        what: 'reads on the target',
      },
    );
    expect(target.credentials().filter((credential) => credential !== targetAuthorization)).toEqual([]);
    const rotated = 'planted-Rotated-pass-8';
    writeFileSync(join(folder, 'target-password'), `${rotated}\n`);
    await eventually(
      async () => {
        await send('_doc/rotated', 'PUT', { n: 8 });
        return target.credentials().includes(basic('mover', rotated));
      },
      { what: 'the rotated password in use' },
    );
  }, 120_000);

  test('of clients reach the target too where that is chosen, and its own are for everything else', async () => {
    await start({ CROSSFADE_CLUSTERS_TARGET_PASS_CLIENT_CREDENTIALS: 'true' });
    await use();
    await crossfade(['route', 'set', `${slug}.pct.read`, '100'], environment());
    await eventually(
      async () => (await send('_search?preference=me', 'GET')).headers.get('x-crossfade-side') === 'target',
      {
        what: 'reads on the target',
      },
    );
    expect(target.credentials()).toContain(clientAuthorization);
    expect(target.credentials()).toContain(targetAuthorization);
  }, 120_000);
});
