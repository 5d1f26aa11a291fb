/** The operator as a process: a resource moves a route of real agents on real clusters, over the cutover and back. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, startAgent } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';
import { type FakeKube, fakeKube } from '../../unit/operator/fake-kube.ts';
import { dropStreams } from '../coordination/nats-admin.ts';

const slug = uniqueName('operator');
const bucket = uniqueName('operator');
const [source, target] = [`${slug}_v1`, `${slug}_v2`];
let urls: Awaited<ReturnType<typeof services>>;
let kube: FakeKube;
let agent: AgentProcess;
let operator: AgentProcess;

const put = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: 'PUT', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
/** A busy machine must not end a switch by its budget. */
const cutover = { budgetMs: 10_000 };
const route = { indices: [{ source, target }], aliases: [slug], createTarget: true, cutover };

beforeAll(async () => {
  urls = await services();
  kube = await fakeKube(undefined, 'search');
  await put(`${urls.sourceUrl}/${source}`, { settings: { number_of_replicas: 0 }, aliases: { [slug]: {} } });
  const env = { CROSSFADE_NATS_SERVERS: urls.natsUrl, CROSSFADE_NATS_BUCKET: bucket };
  agent = await startAgent({
    env: {
      ...env,
      CROSSFADE_CLUSTERS_SOURCE_URL: urls.sourceUrl,
      CROSSFADE_CLUSTERS_TARGET_URL: urls.targetUrl,
    },
  });
  operator = await startAgent({
    env: { CROSSFADE_NATS_SERVERS: urls.natsUrl, CROSSFADE_NATS_BUCKET: bucket },
    command: 'operator',
    args: ['--namespace', 'search', '--kube-api', kube.url, '--every', '0.5'],
    upAt: 'reconciling',
  });
});

afterAll(async () => {
  await agent?.stop();
  await kube?.close();
  await fetch(`${urls.sourceUrl}/${source}`, { method: 'DELETE' });
  await fetch(`${urls.targetUrl}/${target}`, { method: 'DELETE' });
  for (const url of [urls.sourceUrl, urls.targetUrl])
    await fetch(`${url}/crossfade-fence/_alias/crossfade-${slug}-*`, { method: 'DELETE' });
  await dropStreams(urls.natsUrl, bucket);
});

type Said = { type: string; status: string; reason: string; message: string };
const reached = (): Said | undefined => {
  const { metadata, status = {} } = kube.get(slug);
  if (status['observedGeneration'] !== metadata.generation) return undefined;
  return (status['conditions'] as Said[]).find(({ type }) => type === 'PhaseReached');
};
const becomes = async (phase: string): Promise<void> => {
  kube.apply(slug, { route, phase });
  const there = async (): Promise<boolean> =>
    reached()?.status === 'True' && kube.get(slug).status?.['phase'] === phase;
  await eventually(there, { timeoutMs: 120_000, everyMs: 250, what: `phase ${phase}` }).catch(() =>
    expect(kube.get(slug).status).toEqual({ phase }),
  );
};

describe('a Migration on real clusters', () => {
  test('goes to dual, over the cutover, and back, as its phase is changed', async () => {
    await becomes('dual');
    expect((await put(`${agent.url}/${slug}/_doc/1`, { in: 'dual' })).status).toBe(201);
    await becomes('target');
    expect((await put(`${agent.url}/${slug}/_doc/2`, { in: 'target' })).status).toBe(201);
    await eventually(async () => (await fetch(`${urls.sourceUrl}/${source}/_doc/2`)).ok, { what: 'the copy back' });
    await becomes('dual');
    expect(kube.get(slug).status).toMatchObject({ reign: 3 });
    const env = { CROSSFADE_NATS_SERVERS: urls.natsUrl, CROSSFADE_NATS_BUCKET: bucket };
    const { out } = await crossfade(['audit', slug], env);
    expect(out).toContain('operator');
  }, 400_000);

  test('ends at SIGTERM', async () => {
    expect(await operator.stop()).toBe(0);
  });
});
