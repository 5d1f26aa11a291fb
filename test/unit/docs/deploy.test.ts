/** The plain manifests set only variables that exist, probe paths that are served, and keep the Restricted profile. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { chartParts } from '../../../scripts/chart.ts';
import { storeWaitMs } from '../../../src/app/learn-routes.ts';
import { configSettings } from '../../../src/config/load.ts';
import { type Container, containersOf, podOf, restrictedProblems } from '../../support/manifests/rules.ts';
import type { Manifest } from '../../support/manifests/schema.ts';
import { filesIn, read, root } from './files.ts';

const manifestsIn = (file: string): Manifest[] =>
  parseAllDocuments(read(file)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Manifest;
  });

const files = filesIn('deploy', '.yaml').filter((file) => !/deploy\/(prometheus|helm)\//.test(file));
const pods = files.flatMap((file) =>
  manifestsIn(file).flatMap((manifest) => {
    const spec = Array.isArray(manifest) ? undefined : podOf(manifest);
    return spec === undefined ? [] : [{ file, spec }];
  }),
);
const allContainers = pods.flatMap(({ file, spec }) =>
  containersOf(spec).map((container) => ({ file, spec, container })),
);
const isOurs = ({ image }: Container): boolean => image.startsWith('crossfade:');
/** The operator has no listener, no state and no application to serve. */
const serves = ({ args = [] }: Container): boolean => args[0] !== 'operator';
const ours = allContainers.filter(({ container }) => isOurs(container) && serves(container));
const cases = ours.map(({ file, ...rest }) => [file, rest] as const);

const { version } = JSON.parse(read('package.json')) as { version: string };
const variables = new Set(configSettings.map(({ variable }) => variable));
/** `config.ts` reads them beside the settings. */
const downward = new Set(['POD_NAME', 'POD_IP']);
const graceMs = Number(configSettings.find(({ name }) => name === 'shutdown.graceMs')?.default);

describe('manifests', () => {
  it('bring the sidecar in two forms, the Kustomize patch and the worker', () => {
    expect(ours.map(({ file }) => file)).toEqual([
      'deploy/kustomize/sidecar-patch.yaml',
      'deploy/sidecar-classic.yaml',
      'deploy/sidecar.yaml',
      'deploy/worker.yaml',
    ]);
  });

  it('bring the operator in the same version, with its namespace and no right but to list and to tell', () => {
    const file = 'deploy/operator/operator.yaml';
    const found = allContainers.filter(({ container }) => isOurs(container) && !serves(container));
    expect(found.map((one) => [one.file, one.container.image])).toEqual([[file, `crossfade:${version}`]]);
    expect(found[0]?.container.env?.[0]).toEqual({
      name: 'POD_NAMESPACE',
      valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } },
    });
    const role = manifestsIn(file).find(({ kind }) => kind === 'Role') as unknown as {
      rules: { resources: string[]; verbs: string[] }[];
    };
    expect(role.rules.map(({ resources, verbs }) => `${verbs.join()} ${resources.join()}`)).toEqual([
      'list migrations',
      'patch migrations/status',
    ]);
  });

  it('name files that exist in the component', () => {
    const paths = [...read('deploy/kustomize/kustomization.yaml').matchAll(/path: (\S+)/g)].map(
      ([, path = '']) => path,
    );
    expect(paths.length).toBe(2);
    for (const path of paths) expect(existsSync(join(root, 'deploy/kustomize', path))).toBe(true);
  });

  it('set no variable that Crossfade does not know', () => {
    const named = files.flatMap((file) => [...read(file).matchAll(/CROSSFADE_[A-Z0-9_]+/g)].map(([name]) => name));
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((name) => !variables.has(name))).toEqual([]);
  });

  it('tell the application where the sidecar listens', () => {
    const telling = files.filter((file) => read(file).includes('name: OPENSEARCH_URL'));
    expect(telling.length).toBe(3);
    for (const file of telling) expect(read(file)).toMatch(/OPENSEARCH_URL, value: "http:\/\/127\.0\.0\.1:9200"/);
  });
});

describe.each(cases)('the container of %s', (_, { container, spec }) => {
  it('runs the version of this package, as agent or worker', () => {
    expect(container.image).toBe(`crossfade:${version}`);
    expect([['agent'], ['worker']]).toContainEqual(container.args);
  });

  it('takes its identity from the downward API and no secret from the manifest', () => {
    const names = (container.env ?? []).map(({ name }) => name);
    for (const name of downward) if (container.args?.[0] === 'agent') expect(names).toContain(name);
    const fields = (container.env ?? []).flatMap(({ valueFrom }) => (valueFrom === undefined ? [] : [valueFrom]));
    for (const field of fields)
      expect([
        { fieldRef: { fieldPath: 'metadata.name' } },
        { fieldRef: { fieldPath: 'status.podIP' } },
      ]).toContainEqual(field);
    expect(names.filter((name) => !variables.has(name) && !downward.has(name))).toEqual([]);
    const secrets = new Set(configSettings.filter(({ secret }) => secret).map((setting) => setting.variable));
    expect(names.filter((name) => secrets.has(name))).toEqual([]);
  });

  it('is probed on its admin port, by the paths that are served there', () => {
    const admin = container.ports?.find(({ name }) => name === 'crossfade-admin');
    expect(admin?.containerPort).toBe(9600);
    const served = read('src/admin/server.ts');
    for (const [probe, path] of [
      ['startupProbe', '/startupz'],
      ['readinessProbe', '/readyz'],
      ['livenessProbe', '/livez'],
    ] as const) {
      expect(container[probe]?.httpGet).toEqual({ path, port: 'crossfade-admin' });
      expect(served).toContain(`'${path}'`);
    }
  });

  it('is given time to start without a store, and is not restarted for a short stall', () => {
    const patienceMs = ({ periodSeconds = 10, failureThreshold = 3 } = {}): number =>
      periodSeconds * failureThreshold * 1000;
    expect(patienceMs(container.startupProbe)).toBeGreaterThan(10 * storeWaitMs);
    expect(patienceMs(container.livenessProbe)).toBeGreaterThanOrEqual(60_000);
  });

  it('may drain as long as it wants to, after the application has ended', () => {
    const applicationMs = 30_000;
    const podMs = (spec.terminationGracePeriodSeconds ?? 30) * 1000;
    expect(podMs).toBeGreaterThanOrEqual(graceMs + applicationMs);
  });

  it('requests CPU and memory, limits its memory, and has no CPU limit that would throttle the application', () => {
    expect(Object.keys(container.resources?.requests ?? {})).toEqual(['cpu', 'memory']);
    expect(Object.keys(container.resources?.limits ?? {})).toEqual(['memory']);
  });

  it('mounts every folder that its variables point into, and writes to a volume only', () => {
    const mounts = (container.volumeMounts ?? []).map(({ mountPath }) => mountPath);
    const values = (container.env ?? []).flatMap(({ value }) => (value?.startsWith('/') === true ? [value] : []));
    expect(values.filter((value) => !mounts.some((mount) => `${value}/`.startsWith(`${mount}/`)))).toEqual([]);
    const state = container.volumeMounts?.find(({ mountPath }) => mountPath === '/var/lib/crossfade');
    expect(spec.volumes?.find(({ name }) => name === state?.name)?.emptyDir).toEqual({});
  });
});

describe('every container but the application', () => {
  const kept = allContainers.filter(({ container }) => container.name !== 'app');
  it.each(kept.map(({ file, ...rest }) => [file, rest] as const))(
    'of %s keeps the Restricted profile',
    (_, { container, spec }) => {
      expect(restrictedProblems(container, spec)).toEqual([]);
    },
  );

  it('that is a native sidecar is restarted with its pod, and stands before the application', () => {
    const native = pods.flatMap(({ spec }) => spec.initContainers ?? []);
    expect(native.length).toBe(2);
    for (const { restartPolicy } of native) expect(restartPolicy).toBe('Always');
  });

  it('that is a native sidecar does not wait for an application that has ended before it', () => {
    const quietMs = (file: string): unknown =>
      /CROSSFADE_SHUTDOWN_QUIET_MS(?:, value: "|=)(\d+)/.exec(read(file))?.[1] ?? 'default';
    expect(quietMs('deploy/sidecar.yaml')).toBe('0');
    expect(quietMs('deploy/kustomize/kustomization.yaml')).toBe('0');
    expect(quietMs('deploy/sidecar-classic.yaml')).toBe('default');
  });

  it('that is a classic sidecar is the first container, and lets the next one wait for it', () => {
    const classic = pods.find(({ file }) => file === 'deploy/sidecar-classic.yaml')?.spec.containers ?? [];
    expect(classic.map(({ name }) => name)).toEqual(['crossfade', 'app']);
    expect(JSON.stringify(classic[0]?.lifecycle)).toContain('http://127.0.0.1:9600/startupz');
  });
});

describe('the Helm chart', () => {
  it.each(chartParts.map(({ path, render }) => [path, render] as const))(
    'holds %s as the project has it (node scripts/chart.ts writes it)',
    (path, render) => {
      expect(read(path)).toBe(render());
    },
  );

  it('has the version of the package', () => {
    const [chart] = manifestsIn('deploy/helm/crossfade/Chart.yaml') as unknown as Record<string, string>[];
    expect([chart?.['version'], chart?.['appVersion']]).toEqual([version, version]);
  });
});

describe('roles for NATS', () => {
  const account = read('deploy/nats/account.conf');
  it('are included by the account from files that exist', () => {
    const included = [...account.matchAll(/permissions \{ include \.\/(\S+) \}/g)].map(([, file = '']) => file);
    expect(included).toEqual(['setup.conf', 'sidecar.conf', 'operator.conf', 'viewer.conf']);
    for (const file of included) expect(existsSync(join(root, 'deploy/nats', file))).toBe(true);
  });

  it('keep no password in the file', () => {
    for (const [, value = ''] of account.matchAll(/password: (\S+)/g))
      expect(value).toMatch(/^\$CROSSFADE_\w+_PASSWORD$/);
  });
});
