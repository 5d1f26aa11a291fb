/**
 * The steps of the Dockerfile in empty folders: the build stage word for word, the image as a tree that nobody may write
 * to, and its process under another user with probes and SIGTERM. What this cannot show is the base images themselves.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { all, copiesOf, environmentOf, stagesOf } from '../../support/dockerfile.ts';
import { eventually } from '../../support/eventually.ts';
import type { Manifest } from '../../support/manifests/schema.ts';
import { podOf } from '../../support/manifests/rules.ts';
import { services, uniqueName } from '../../support/services.ts';
import { cacheDir } from '../../support/services/cache.ts';
import { freePort } from '../../support/services/child.ts';
import { isRoot, run } from '../../support/services/prerequisites.ts';
import { read, root } from '../../unit/docs/files.ts';
import { dropStreams } from '../coordination/nats-admin.ts';

const [build, image] = stagesOf(read('Dockerfile'));
// Outside the tree, whose modules it must not find, where programs may run and other accounts may read.
const folder = mkdtempSync(join(cacheDir(), 'image-'));
const places = { build: join(folder, 'build'), app: join(folder, 'app'), state: join(folder, 'state') };
const node = join(folder, 'node');
const [userId = 0] = (all(image!, 'USER')[0] ?? '').split(':').map(Number);
const asUser = isRoot() ? { uid: userId, gid: userId } : {};

/** npm's own variables would tell it that it runs inside of this project; the Node.js of the machine is the builder's. */
const bare = (): NodeJS.ProcessEnv => ({
  HOME: process.env['HOME'],
  PATH: (process.env['PATH'] ?? '')
    .split(':')
    .filter((dir) => !dir.includes('node_modules'))
    .join(':'),
});

const walkBuildStage = async (): Promise<void> => {
  mkdirSync(places.build);
  for (const { word, text } of build!.instructions) {
    if (word === 'COPY')
      for (const path of copiesOf(text).sources)
        cpSync(join(root, path), join(places.build, path), { recursive: true });
    if (word === 'RUN') await run('sh', ['-euc', text], { cwd: places.build, env: bare(), maxBuffer: 16 << 20 });
  }
};

const makeImage = async (): Promise<void> => {
  mkdirSync(places.app);
  for (const text of all(image!, 'COPY'))
    for (const path of copiesOf(text).sources) {
      const name = path.replace('/build/', '');
      cpSync(join(places.build, name), join(places.app, name), { recursive: true, verbatimSymlinks: true });
    }
  // Also an account that owns the files, if it is not root, may not change them.
  await run('chmod', ['-R', 'a-w,a+rX', places.app]);
  chmodSync(folder, 0o755);
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  mkdirSync(places.state);
  if (isRoot()) chownSync(places.state, userId, userId);
};

beforeAll(async () => {
  await walkBuildStage();
  await makeImage();
}, 300_000);

afterAll(async () => {
  await run('chmod', ['-R', 'u+w', folder]);
  rmSync(folder, { recursive: true, force: true });
});

const inImage = (args: readonly string[], env: Record<string, string>): ChildProcess =>
  spawn(node, [join(places.app, 'dist/main.js'), ...args], {
    cwd: places.app,
    env: { ...environmentOf(image!), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...asUser,
  });

const outputOf = (child: ChildProcess): (() => string) => {
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
};

describe('the image', () => {
  it('holds what it needs to run and no tool to build with', () => {
    for (const path of ['package.json', 'dist/main.js', 'node_modules/undici', 'node_modules/fastify'])
      expect(existsSync(join(places.app, path)), path).toBe(true);
    for (const path of ['src', 'test', 'node_modules/typescript', 'node_modules/vitest', 'node_modules/node'])
      expect(existsSync(join(places.app, path)), path).toBe(false);
  });

  it('serves as another user from a tree that it cannot write to, answers its probes, and ends with 0', async () => {
    const { sourceUrl, natsUrl } = await services();
    const bucket = uniqueName('image');
    const admin = `127.0.0.1:${await freePort()}`;
    const child = inImage(['agent'], {
      POD_NAME: 'gateway-0',
      CROSSFADE_LISTEN: `127.0.0.1:${await freePort()}`,
      CROSSFADE_ADMIN_LISTEN: admin,
      CROSSFADE_CLUSTERS_SOURCE_URL: sourceUrl,
      CROSSFADE_NATS_SERVERS: natsUrl,
      CROSSFADE_NATS_BUCKET: bucket,
      CROSSFADE_STATE_DIR: places.state,
      CROSSFADE_SHUTDOWN_QUIET_MS: '0',
    });
    const output = outputOf(child);
    const exited = once(child, 'exit');
    try {
      const probe = async (path: string): Promise<number> => (await fetch(`http://${admin}${path}`)).status;
      await eventually(async () => (await probe('/startupz')) === 200, { timeoutMs: 60_000, what: 'the start' }).catch(
        () => expect(output()).toBe('up'),
      );
      for (const path of ['/readyz', '/livez', '/metrics', '/', '/assets/uplot.js'])
        expect(await probe(path), path).toBe(200);
      await hookOfClassicSidecar(admin);
    } finally {
      child.kill('SIGTERM');
    }
    expect((await exited)[0], output()).toBe(0);
    await dropStreams(natsUrl, bucket);
  }, 120_000);

  it('lets the hook of the classic sidecar fail when nothing ever serves, because no probe would end the wait', async () => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    await expect(hookOfClassicSidecar(nowhere, '500')).rejects.toMatchObject({ code: 1 });
  });

  it('says what is wrong and exits with 64 when it is not configured', async () => {
    const child = inImage(['agent'], {});
    const output = outputOf(child);
    expect((await once(child, 'exit'))[0]).toBe(64);
    expect(output()).toContain('clusters.source.url');
  });
});

/** The command of the hook, as the kubelet runs it inside the container: no shell. */
const hookOfClassicSidecar = async (admin: string, patienceMs = '60000'): Promise<void> => {
  const [sidecar] = podOf(parse(read('deploy/sidecar-classic.yaml')) as Manifest)?.containers ?? [];
  const hooks = sidecar?.lifecycle as { postStart: { exec: { command: string[] } } } | undefined;
  const [, ...args] = (hooks?.postStart.exec.command ?? []).map((word) =>
    word.replace('127.0.0.1:9600', admin).replace('60000', patienceMs),
  );
  await run(node, args, { env: environmentOf(image!), timeout: 30_000, ...asUser });
};
