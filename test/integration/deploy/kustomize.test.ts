/** The Kustomize component, applied as its own head comment says, by the real kubectl. */
import { beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import {
  containersOf,
  manifestProblems,
  type PodSpec,
  podOf,
  restrictedProblems,
} from '../../support/manifests/rules.ts';
import type { Manifest } from '../../support/manifests/schema.ts';
import { buildComponent, tools } from '../../support/manifests/tools.ts';

let manifests: Manifest[] = [];
const podNamed = (name: string): PodSpec => {
  const found = manifests.find((one) => one.kind === 'Deployment' && one.metadata?.name === name);
  expect(found).toBeDefined();
  return podOf(found as Manifest) ?? {};
};

describe.skipIf(tools === undefined)('the Kustomize component', () => {
  beforeAll(async () => {
    manifests = await buildComponent();
  });

  it('makes objects that Kubernetes accepts', () => {
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(['ConfigMap', 'Deployment', 'Deployment']);
    expect(manifests.flatMap(manifestProblems)).toEqual([]);
  });

  it('puts the sidecar before every other init container, so that they are served too', () => {
    const pod = podNamed('gateway');
    expect(pod.initContainers?.map(({ name }) => name)).toEqual(['crossfade', 'migrate']);
    const sidecar = pod.initContainers?.[0];
    expect(sidecar?.restartPolicy).toBe('Always');
    expect(
      containersOf({ initContainers: sidecar === undefined ? [] : [sidecar] }).flatMap((one) =>
        restrictedProblems(one, pod),
      ),
    ).toEqual([]);
  });

  it('lets the pod live as long as the drain needs', () => {
    expect(podNamed('gateway').terminationGracePeriodSeconds).toBe(60);
  });

  it('points the application at the sidecar', () => {
    expect(podNamed('gateway').containers?.[0]?.env).toEqual([
      { name: 'OPENSEARCH_URL', value: 'http://127.0.0.1:9200' },
    ]);
  });

  it('gives the sidecar settings that the product accepts, from the map that was generated', () => {
    const map = manifests.find(({ kind }) => kind === 'ConfigMap');
    const [sidecar] = podNamed('gateway').initContainers ?? [];
    expect(sidecar?.envFrom?.[0]?.configMapRef?.name).toBe(map?.metadata?.name);
    const loaded = loadConfig({ env: map?.['data'] as Record<string, string> });
    expect(loaded).toMatchObject({
      ok: true,
      config: { nats: { createBuckets: false }, stateDir: '/var/lib/crossfade' },
    });
  });

  it('leaves Deployments without the label alone', () => {
    expect(podNamed('bystander')).toEqual({ containers: [{ name: 'app', image: 'your/bystander:1.0' }] });
  });
});
