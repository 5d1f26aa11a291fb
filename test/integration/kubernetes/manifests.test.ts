/**
 * Everything in deploy/ applied to a real API server, where there is one: it takes all of it with strict field validation
 * and warns of nothing that is ours; the operator's account may do what it does and no more; wrong Migrations are refused.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { group, version } from '../../../src/operator/resource.ts';
import { applyOperator, namespace } from '../../support/kube-world.ts';
import { customDefinitions } from '../../support/manifests/custom-definitions.ts';
import type { Manifest } from '../../support/manifests/schema.ts';
import { buildComponent, chart, everything, manifestsIn, render, renderParent } from '../../support/manifests/tools.ts';
import { type KubeCluster, startKubeCluster, whyNoKubeCluster } from '../../support/services/kube-cluster.ts';
import { filesIn, read } from '../../unit/docs/files.ts';

const missing = whyNoKubeCluster();
const reason = missing === undefined ? '' : ` (skipped: ${missing})`;
const plain = (isMeant: (file: string) => boolean) => async (): Promise<Manifest[]> =>
  filesIn('deploy', '.yaml')
    .filter((file) => /^deploy\/[\w-]+\.yaml$/.test(file) && isMeant(file))
    .flatMap((file) => manifestsIn(read(file)));
const keda = ['kind=keda', 'minReplicas=0', 'prometheusAddress=http://prometheus:9090'].flatMap((value) => [
  '--set',
  `worker.autoscaling.${value}`,
]);

const sets: [string, () => Promise<Manifest[]>][] = [
  ['plain', plain((file) => !file.includes('classic'))],
  ['plain-classic', plain((file) => file.includes('classic'))],
  ['chart', () => render(chart, '-f', everything)],
  ['chart-keda', () => render(chart, '-f', everything, ...keda)],
  ['parent-chart', () => renderParent()],
  ['parent-chart-classic', () => renderParent('--set', 'crossfade.sidecar.native=false')],
  ['component', buildComponent],
];
/** Containers of the application, of which the examples say nothing but a name. */
const theirs = new Set(['app', 'migrate']);
const warnedOf = (said: string): string[] =>
  [...said.matchAll(/containers? ((?:"[\w-]+"(?:, )?)+)/g)].flatMap(([, names = '']) => names.match(/[\w-]+/g) ?? []);

describe.skipIf(missing !== undefined)(`a real API server${reason}`, () => {
  let cluster: KubeCluster;
  beforeAll(async () => {
    cluster = await startKubeCluster();
    await applyOperator(cluster);
    await cluster.kubectl(['apply', '--server-side', '-f', '-'], list(customDefinitions()));
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
  });
  afterAll(() => cluster?.stop());

  const list = (items: unknown[]) => ({ apiVersion: 'v1', kind: 'List', items });

  test.each(sets)('takes the manifests of %s', async (name, manifests) => {
    await cluster.kubectl(['create', 'namespace', name]);
    await cluster.kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/warn=restricted']);
    const items = await manifests();
    const { out, err } = await cluster.kubectl(['apply', '--server-side', '-n', name, '-f', '-'], list(items));
    expect(out.match(/serverside-applied/g)).toHaveLength(items.length);
    expect(warnedOf(err).filter((container) => !theirs.has(container))).toEqual([]);
    expect(err.split('\n').filter((line) => line !== '' && !line.includes('violate PodSecurity'))).toEqual([]);
  });

  test('refuses or warns of manifests that are not right', async () => {
    const apply = (manifest: string) => cluster.kubectl(['apply', '--server-side', '-n', 'wrong', '-f', '-'], manifest);
    await cluster.kubectl(['create', 'namespace', 'wrong']);
    await cluster.kubectl(['label', 'namespace', 'wrong', 'pod-security.kubernetes.io/warn=restricted']);
    const monitor = read('deploy/pod-monitor.yaml').replace('interval:', 'intervall:');
    await expect(apply(monitor)).rejects.toThrow('intervall');
    const worker = read('deploy/worker.yaml').replace('allowPrivilegeEscalation: false', '');
    expect(warnedOf((await apply(worker)).err)).toEqual(['crossfade']);
  });

  test.each([
    [namespace, ['migrations.crossfade.dev [list]', 'migrations.crossfade.dev/status [patch]']],
    ['default', []],
  ])("lets the operator's account in %s do what it needs and nothing else", async (where, rights) => {
    const as = `--as=system:serviceaccount:${namespace}:crossfade-operator`;
    const { out } = await cluster.kubectl(['auth', 'can-i', '--list', as, '-n', where, '--no-headers']);
    const rows = out.split('\n').map((row) => row.trim().split(/\s{2,}/));
    const named = rows.filter(([what = '']) => !/^($|\[|selfsubject)/.test(what));
    expect(named.map((row) => `${row[0]} ${row.at(-1)}`)).toEqual(rights);
  });

  const route = { indices: [{ source: 'products_v1', target: 'products_v2' }] };
  const migration = (name: string, spec: unknown) => ({
    apiVersion: `${group}/${version}`,
    kind: 'Migration',
    metadata: { name, namespace },
    spec,
  });
  const patchStatus = (name: string): string[] =>
    ['patch', 'migration', name, '-n', namespace].concat(['--subresource=status', '--type=merge', '-p']);
  const apply = (name: string, spec: unknown) => cluster.kubectl(['apply', '-f', '-'], migration(name, spec));

  test.each([
    ['a name that no route can have', 'pro.ducts', { route }, 'the name is that of the route'],
    ['a rate that is a word', 'products', { route, rate: 'fast' }, 'must be documents per second, or pause'],
    ['a rate below zero', 'products', { route, rate: -1 }, 'must be documents per second, or pause'],
    ['a phase that YAML took for a boolean', 'products', { route, phase: false }, 'spec.phase in body must be of type'],
    ['a field that nobody knows', 'products', { route, fase: 'dual' }, 'unknown field "spec.fase"'],
  ])('refuses a Migration with %s, and says so', async (_, name, spec, said) => {
    await expect(apply(name, spec)).rejects.toThrow(said);
  });

  test('lets a phase be taken back until it was final', async () => {
    await apply('done', { route, phase: 'final', rate: 'pause' });
    await apply('done', { route, phase: 'dual', rate: 0 });
    await apply('done', { route, phase: 'final' });
    const status = JSON.stringify({ status: { phase: 'final' } });
    await cluster.kubectl([...patchStatus('done'), status]);
    await expect(apply('done', { route, phase: 'dual' })).rejects.toThrow('no way leads back from final');
    await apply('done', { route, phase: 'final', stop: false });
  });

  test('shows wanted and present phase in a list, and lets people wait for a condition of the present spec', async () => {
    const { out } = await cluster.kubectl(['get', 'migrations', '-n', namespace]);
    expect(out).toMatch(/^NAME +WANTED +PHASE +STAGE +REACHED +SAFE TO ADVANCE +AGE\n/);
    expect(out).toMatch(/\ndone +final +final /);
    const wait = ['wait', '--for=condition=PhaseReached', 'migration/done', '-n', namespace, '--timeout=1s'];
    const reached = { type: 'PhaseReached', status: 'True', reason: 'Reached', message: '' };
    const tell = async (observedGeneration: number): Promise<void> => {
      const condition = { ...reached, observedGeneration, lastTransitionTime: '2026-01-01T00:00:00Z' };
      const body = JSON.stringify({ status: { conditions: [condition] } });
      await cluster.kubectl([...patchStatus('done'), body]);
    };
    const found = JSON.parse((await cluster.kubectl(['get', 'migration', 'done', '-n', namespace, '-o', 'json'])).out);
    const { generation } = (found as { metadata: { generation: number } }).metadata;
    await tell(generation - 1);
    await expect(cluster.kubectl(wait)).rejects.toThrow('timed out');
    await tell(generation);
    expect((await cluster.kubectl(wait)).out).toContain('condition met');
  });
});
