/**
 * An OpenSearch with the security plugin: TLS, users, roles. The newest plugin on Maven is older than the server, so its
 * descriptor is set to the server's version and it gets the server's own network library; the result is kept in the cache.
 * The node has one user, who administers it, and no role that everybody gets.
 */
import { createPrivateKey } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { tlsBytes, trust } from '../tls.ts';
import { cacheDir, keepInCache } from './cache.ts';
import type { Server } from './child.ts';
import { distribution, openSearchVersion, startOpenSearch } from './opensearch.ts';
import { findJdk, findOnPath, MissingPrerequisite, run } from './prerequisites.ts';

const pluginVersion = '3.4.0.0';
const admin = { name: 'admin', password: 'Administers-Tests-1' };
/** Of that password. */
const adminHash = '$2y$12$PVNCLDcBf5xBCAQt7oczU.R41OaTFeZPK6Jz0JvFfIvPOkZxqgiQK';

const users = `_meta: { type: internalusers, config_version: 2 }
${admin.name}: { hash: "${adminHash}", reserved: true, backend_roles: [admin] }
`;
const mappings = `_meta: { type: rolesmapping, config_version: 2 }
all_access: { reserved: false, backend_roles: [admin] }
`;
const lines = [
  ...['transport', 'http'].flatMap((layer) => [
    `plugins.security.ssl.${layer}.pemcert_filepath: server.pem`,
    `plugins.security.ssl.${layer}.pemkey_filepath: server.key`,
    `plugins.security.ssl.${layer}.pemtrustedcas_filepath: ca.pem`,
  ]),
  'plugins.security.ssl.http.enabled: true',
  'plugins.security.allow_default_init_securityindex: true',
  'plugins.security.restapi.roles_enabled: [all_access]',
];

const unpackPlugin = async (jdk: string, staging: string): Promise<string> => {
  const artifact = `org.opensearch.plugin:opensearch-security:${pluginVersion}:zip`;
  const args = ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${staging}`];
  await run('mvn', args, { cwd: staging });
  const plugin = join(staging, 'plugin');
  mkdirSync(plugin);
  const zip = join(staging, `opensearch-security-${pluginVersion}.zip`);
  await run(join(jdk, 'bin', 'jar'), ['-xf', zip], { cwd: plugin });
  return plugin;
};

/** What the server brings in a newer version, and what it brings at all. */
const isForeign = (jar: string): boolean => /^(bc.*-fips-|netty-|transport-netty4-client-).*\.jar$/.test(jar);

const adapt = (plugin: string, home: string): void => {
  const descriptor = join(plugin, 'plugin-descriptor.properties');
  const told = readFileSync(descriptor, 'utf8');
  writeFileSync(descriptor, told.replace(/^opensearch\.version=.*$/m, `opensearch.version=${openSearchVersion}`));
  for (const jar of readdirSync(plugin).filter(isForeign)) rmSync(join(plugin, jar));
  const netty = join(home, 'modules', 'transport-netty4');
  for (const jar of readdirSync(netty).filter((name) => name.endsWith('.jar') && !name.includes('native-quic')))
    copyFileSync(join(netty, jar), join(plugin, jar));
};

const build = async (jdk: string, into: string): Promise<void> => {
  const home = await distribution(jdk);
  await keepInCache(into, async (staging) => {
    const plugin = await unpackPlugin(jdk, staging);
    adapt(plugin, home);
    const zip = join(staging, 'adapted.zip');
    await run(join(jdk, 'bin', 'jar'), ['-cMf', zip, '-C', plugin, '.']);
    const copy = join(staging, 'home');
    cpSync(home, copy, { recursive: true });
    const install = [join(copy, 'bin', 'opensearch-plugin'), 'install', '-s', '-b', pathToFileURL(zip).href];
    await run('bash', install, { env: { ...process.env, OPENSEARCH_JAVA_HOME: jdk } });
    return copy;
  });
};

/** @throws MissingPrerequisite, and what Maven says when it cannot fetch the plugin */
const securedHome = async (): Promise<string> => {
  const jdk = await findJdk();
  if (jdk === undefined || findOnPath('mvn') === undefined)
    throw new MissingPrerequisite('a cluster with users needs Maven and a JDK 21 or later');
  const home = join(cacheDir(), `opensearch-${openSearchVersion}-security-${pluginVersion}`);
  if (!existsSync(home)) await build(jdk, home);
  return home;
};

/** Why there can be none on this machine; undefined when there can. */
export const whyNoSecured = (): Promise<string | undefined> =>
  securedHome().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message.split('\n')[0] : String(error)),
  );

const prepare = (config: string): void => {
  for (const name of ['ca.pem', 'server.pem']) writeFileSync(join(config, name), tlsBytes(name));
  const key = createPrivateKey(tlsBytes('server.key'));
  writeFileSync(join(config, 'server.key'), key.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(join(config, 'opensearch-security', 'internal_users.yml'), users);
  writeFileSync(join(config, 'opensearch-security', 'roles_mapping.yml'), mappings);
};

export type Answer = { status: number; text: string };
type Call = { method?: string; path: string; body?: unknown; user?: { name: string; password: string } };

/** As `user`, else as the one who administers. */
const call = (url: string, { method = 'GET', path, body, user = admin }: Call): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const headers = {
      authorization: `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const options = { method, headers, ca: tlsBytes('ca.pem'), servername: trust.serverName };
    const asked = request(`${url}${path}`, options, (answer) => {
      text(answer).then((got) => resolve({ status: answer.statusCode ?? 0, text: got }), reject);
    });
    asked.once('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });

export type Secured = Server & { ask(call: Call): Promise<Answer> };

export const startSecured = async (name: string): Promise<Secured> => {
  const isUp = async (url: string): Promise<boolean> =>
    (await call(url, { path: '/_cluster/health?wait_for_status=yellow&timeout=1s' })).status === 200;
  const variant = { home: await securedHome(), lines, scheme: 'https', prepare, isUp };
  const server = await startOpenSearch({ name, heapMb: 512, briefly: true, variant });
  return { ...server, ask: (asked) => call(server.url, asked) };
};
