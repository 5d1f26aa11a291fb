/**
 * The operator as a process: a resource moves a route of real agents on real clusters, over the cutover and back, whatever
 * becomes of operator and API server meanwhile. In every run on the fake API server, on a real one where there is one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, startAgent } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { kubeWorlds, type KubeWorld, namespace } from '../../support/kube-world.ts';
import { services, uniqueName } from '../../support/services.ts';
import { dropStreams } from '../coordination/nats-admin.ts';

type Said = { type: string; status: string; reason: string; message: string };
let urls: Awaited<ReturnType<typeof services>>;
beforeAll(async () => {
  urls = await services();
});

const put = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: 'PUT', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });

describe.each(kubeWorlds)('a Migration in $server, on real clusters', ({ skip, start }) => {
  const slug = uniqueName('operator');
  const [source, target, bucket] = [`${slug}_v1`, `${slug}_v2`, slug];
  /** A busy machine must not end a switch by its budget. */
  const cutover = { budgetMs: 10_000 };
  const route = { indices: [{ source, target }], aliases: [slug], createTarget: true, cutover };
  let world: KubeWorld;
  let agent: AgentProcess;
  let operators: AgentProcess[];

  const env = (): Record<string, string> => ({ CROSSFADE_NATS_SERVERS: urls.natsUrl, CROSSFADE_NATS_BUCKET: bucket });
  const startOperator = (): Promise<AgentProcess> =>
    startAgent({
      env: env(),
      command: 'operator',
      args: ['--namespace', namespace, '--kube-api', world.proxyUrl, '--every', '0.5'],
      upAt: 'reconciling',
    });

  beforeAll(async () => {
    if (skip) return;
    world = await start();
    await put(`${urls.sourceUrl}/${source}`, { settings: { number_of_replicas: 0 }, aliases: { [slug]: {} } });
    const clusters = {
      CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl,
      CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl,
    };
    agent = await startAgent({ env: { ...env(), ...clusters } });
    operators = [await startOperator()];
  });

  afterAll(async () => {
    if (skip) return;
    for (const operator of operators ?? []) await operator.stop();
    await agent?.stop();
    await world?.close();
    await fetch(`${urls.sourceUrl}/${source}`, { method: 'DELETE' });
    await fetch(`${urls.targetUrl}/${target}`, { method: 'DELETE' });
    for (const url of [urls.sourceUrl, urls.targetUrl])
      await fetch(`${url}/crossfade-fence/_alias/crossfade-${slug}-*`, { method: 'DELETE' });
    await dropStreams(urls.natsUrl, bucket);
  });

  const isThere = async (phase: string): Promise<boolean> => {
    const { metadata, status = {} } = await world.get(slug);
    const reached = ((status['conditions'] ?? []) as Said[]).find(({ type }) => type === 'PhaseReached');
    return (
      status['observedGeneration'] === metadata.generation && reached?.status === 'True' && status['phase'] === phase
    );
  };
  const arrives = (phase: string): Promise<unknown> =>
    eventually(() => isThere(phase), { timeoutMs: 120_000, everyMs: 250, what: `phase ${phase}` }).catch(async () =>
      expect((await world.get(slug)).status).toEqual({ phase }),
    );
  const becomes = async (phase: string): Promise<void> => {
    await world.apply(slug, { route, phase, percent: { shadow: 5 } }, ['example.dev/kept']);
    await arrives(phase);
  };

  test.skipIf(skip)(
    'goes to dual, over the cutover, and back, as its phase is changed',
    async () => {
      await becomes('dual');
      expect((await put(`${agent.url}/${slug}/_doc/1`, { in: 'dual' })).status).toBe(201);
      operators.push(await startOperator());
      await becomes('target');
      expect((await put(`${agent.url}/${slug}/_doc/2`, { in: 'target' })).status).toBe(201);
      await eventually(async () => (await fetch(`${urls.sourceUrl}/${source}/_doc/2`)).ok, { what: 'the copy back' });
      expect((await world.get(slug)).status).toMatchObject({ reign: 2 });
      await world.restart();
      await becomes('dual');
      expect((await world.get(slug)).status).toMatchObject({ reign: 3 });
      const { out } = await crossfade(['audit', slug], env());
      expect(out).toContain('operator');
    },
    400_000,
  );

  test.skipIf(skip)('stays where it is while its resource waits for a finalizer', async () => {
    await crossfade(['route', 'set', `${slug}.pct.shadow`, '1'], env());
    const before = await world.get(slug);
    await world.remove(slug);
    expect((await world.get(slug)).metadata.generation).toBe(before.metadata.generation + 1);
    // By its name, and as the one that was applied later, it is looked at after the other.
    const other = uniqueName('waiting');
    await world.apply(other, { route: { indices: [{ source: other, target: `${other}_v2` }] } });
    await eventually(async () => (await world.get(other)).status !== undefined, { what: 'the later resource' });
    expect((await world.get(slug)).status).toEqual(before.status);
    const { out } = await crossfade(['status', slug, '--json'], env());
    expect(JSON.parse(out)).toMatchObject({ phase: 'dual', percent: { shadow: 1 } });
  });

  test.skipIf(skip)('ends with exit code 0 at SIGTERM', async () => {
    expect(await Promise.all(operators.splice(0).map((operator) => operator.stop()))).toEqual([0, 0]);
  });
});
