/** The chart as helm renders it: valid objects, settings that the product accepts, and templates for other charts. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../../src/config/load.ts';
import {
  type Container,
  containersOf,
  manifestProblems,
  podOf,
  restrictedProblems,
} from '../../support/manifests/rules.ts';
import type { Manifest } from '../../support/manifests/schema.ts';
import { chart, everything, helm, render, renderParent, tools } from '../../support/manifests/tools.ts';
import { read } from '../../unit/docs/files.ts';

const source = ['--set', 'config.clusters.source.url=http://old:9200'];
const named = (manifests: readonly Manifest[], kind: string, name = ''): Manifest => {
  const found = manifests.find((one) => one.kind === kind && (one.metadata?.name ?? '').includes(name));
  expect(found, `${kind} ${name}`).toBeDefined();
  return found as Manifest;
};
const specOf = (manifest: Manifest): Record<string, unknown> => manifest['spec'] as Record<string, unknown>;
const sidecarIn = (manifest: Manifest): Container => {
  const found = containersOf(podOf(manifest) ?? {}).find(({ name }) => name === 'crossfade');
  expect(found).toBeDefined();
  return found as Container;
};
const plain = (file: string): Manifest => parse(read(file)) as Manifest;

describe.skipIf(tools === undefined)('the chart', () => {
  it('passes lint with everything switched on', async () => {
    expect(await helm('lint', '--strict', chart, '-f', everything)).toContain('0 chart(s) failed');
  });

  it('renders objects that Kubernetes accepts, whose containers keep the Restricted profile', async () => {
    const manifests = await render(chart, '-f', everything);
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(
      ['ConfigMap', 'ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'Job']
        .concat(['NetworkPolicy', 'NetworkPolicy', 'PodMonitor', 'PrometheusRule'])
        .toSorted(),
    );
    expect(manifests.flatMap(manifestProblems)).toEqual([]);
    const pods = manifests.flatMap((one) => podOf(one) ?? []);
    expect(pods.length).toBe(2);
    for (const pod of pods) expect(containersOf(pod).flatMap((one) => restrictedProblems(one, pod))).toEqual([]);
  });

  it('renders nothing but the settings by default, and asks for the source', async () => {
    expect((await render(chart, ...source)).map(({ kind }) => kind)).toEqual(['ConfigMap']);
    await expect(render(chart)).rejects.toThrow("missing property 'clusters'");
  });

  it('gives settings to the processes that they accept, large numbers too', async () => {
    const settings = named(
      await render(chart, '-f', everything, '--set', 'config.limits.maxBodyBytes=104857600'),
      'ConfigMap',
    );
    const text = (settings['data'] as Record<string, string>)['crossfade.yaml'] ?? '';
    const loaded = loadConfig({ fileText: text, env: {} });
    expect(loaded).toMatchObject({
      ok: true,
      config: {
        limits: { maxBodyBytes: 104857600 },
        clusters: { source: { username: 'crossfade', passClientCredentials: true } },
        nats: { createBuckets: false },
      },
    });
  });

  it.each([
    ['a native sidecar', 'sidecar.native=true', 0],
    ['a native sidecar whose settings say otherwise', 'config.shutdown.quietMs=700', 700],
    ['a plain container', 'sidecar.native=false', undefined],
  ])('lets %s wait for an application that may still be there, and no other', async (_, set, quietMs) => {
    const settings = named(await render(chart, ...source, '--set', set), 'ConfigMap');
    const { shutdown } = parse((settings['data'] as Record<string, string>)['crossfade.yaml'] ?? '') as {
      shutdown?: { quietMs?: number };
    };
    expect(shutdown?.quietMs).toBe(quietMs);
  });

  it.each([
    ['config.clusters.source.password=secret', "additional properties 'password' not allowed"],
    ['config.clusters.source.ulr=http://a:1', "additional properties 'ulr' not allowed"],
    ['worker.autoscaling.kind=vpa', "value must be one of 'none', 'hpa', 'keda'"],
    ['image.digest=sha256:123', 'does not match pattern'],
    ['podmonitor.enabled=true', "additional properties 'podmonitor' not allowed"],
  ])('refuses --set %s', async (set, message) => {
    await expect(render(chart, ...source, '--set', set)).rejects.toThrow(message);
  });

  it('leaves the number of workers to whatever scales them', async () => {
    const worker = [...source, '--set', 'worker.enabled=true', '--set'];
    const fixed = await render(chart, ...worker, 'worker.replicas=3');
    expect(specOf(named(fixed, 'Deployment'))['replicas']).toBe(3);
    const hpa = await render(chart, ...worker, 'worker.autoscaling.kind=hpa');
    expect(specOf(named(hpa, 'Deployment'))['replicas']).toBeUndefined();
    expect(specOf(named(hpa, 'HorizontalPodAutoscaler'))).toEqual(
      specOf(plainDocument('deploy/worker-autoscaler.yaml', 'HorizontalPodAutoscaler')),
    );
    const keda = await render(
      chart,
      ...worker,
      'worker.autoscaling.kind=keda,worker.autoscaling.prometheusAddress=http://prometheus:9090,worker.autoscaling.minReplicas=0',
    );
    expect(keda.flatMap(manifestProblems)).toEqual([]);
    expect(specOf(named(keda, 'ScaledObject'))).toMatchObject({ minReplicaCount: 0, maxReplicaCount: 8 });
    await expect(render(chart, ...worker, 'worker.autoscaling.kind=keda')).rejects.toThrow(
      'prometheusAddress is needed',
    );
  });

  it('brings the rules and the dashboard of the project, with links to your own runbook', async () => {
    const manifests = await render(chart, '-f', everything);
    const rules = read('deploy/prometheus/crossfade-rules.yaml');
    expect(specOf(named(manifests, 'PrometheusRule'))).toEqual(
      parse(rules.replaceAll('docs/runbook/', 'https://wiki.example/crossfade/')),
    );
    const { data } = named(manifests, 'ConfigMap', 'dashboard') as { data?: Record<string, string> };
    expect(JSON.parse(data?.['crossfade.json'] ?? '')).toEqual(JSON.parse(read('deploy/grafana/crossfade.json')));
  });

  it('creates the same buckets as the plain Job, in the same way', async () => {
    const job = named(await render(chart, '-f', everything), 'Job');
    const script = (manifest: Manifest): string =>
      (podOf(manifest)?.containers?.[0]?.args?.[0] ?? '').replaceAll(/\s+/g, ' ');
    expect(script(job)).toBe(script(plain('deploy/nats-buckets.yaml')));
  });
});

const plainDocument = (file: string, kind: string): Manifest => {
  const found = read(file)
    .split(/^---$/m)
    .map((text) => parse(text) as Manifest)
    .find((one) => one.kind === kind);
  expect(found).toBeDefined();
  return found as Manifest;
};

describe.skipIf(tools === undefined)('a chart that lists this one as a dependency', () => {
  it('gets the native sidecar of the plain manifest, settled by its own values', async () => {
    const manifests = await renderParent();
    expect(manifests.flatMap(manifestProblems)).toEqual([]);
    const pod = podOf(named(manifests, 'Deployment')) ?? {};
    const mine = sidecarIn(named(manifests, 'Deployment'));
    const theirs = sidecarIn(plain('deploy/sidecar.yaml'));
    for (const field of [
      'image',
      'restartPolicy',
      'args',
      'ports',
      'startupProbe',
      'readinessProbe',
      'livenessProbe',
      'resources',
    ] as const)
      expect(mine[field], field).toEqual(theirs[field]);
    expect(restrictedProblems(mine, pod)).toEqual([]);
    expect(pod.containers?.[0]?.env).toEqual([{ name: 'OPENSEARCH_URL', value: 'http://127.0.0.1:9200' }]);
    expect(mine.env?.map(({ name }) => name)).toEqual(['POD_NAME', 'POD_IP', 'CROSSFADE_CONFIG']);
  });

  it('gets a plain container that starts first on older clusters', async () => {
    const manifests = await renderParent('--set', 'crossfade.sidecar.native=false');
    expect(manifests.flatMap(manifestProblems)).toEqual([]);
    const pod = podOf(named(manifests, 'Deployment')) ?? {};
    expect(pod.initContainers).toBeUndefined();
    const [first] = pod.containers ?? [];
    expect(first?.restartPolicy).toBeUndefined();
    expect(first?.lifecycle).toEqual(sidecarIn(plain('deploy/sidecar-classic.yaml')).lifecycle);
  });

  it('rolls its pods when a setting changes', async () => {
    const checksum = async (...args: string[]): Promise<unknown> => {
      const { template } = specOf(named(await renderParent(...args), 'Deployment')) as {
        template: { metadata: { annotations: Record<string, string> } };
      };
      return template.metadata.annotations['checksum/crossfade-config'];
    };
    expect(await checksum()).toBe(await checksum());
    expect(await checksum()).not.toBe(await checksum('--set', 'crossfade.config.log.level=debug'));
  });
});
