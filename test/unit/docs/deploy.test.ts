/** The manifests parse, set only variables that exist, probe paths that are served, and keep the Restricted profile. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { configSettings } from '../../../src/config/load.ts';
import { filesIn, read, root } from './files.ts';

type Container = {
  name: string;
  image: string;
  args?: string[];
  restartPolicy?: string;
  env?: { name: string; value?: string }[];
  ports?: { name: string; containerPort: number }[];
  volumeMounts?: { name: string; mountPath: string }[];
  securityContext?: { [key: string]: unknown; capabilities?: { drop?: string[] } };
} & Record<`${'startup' | 'readiness' | 'liveness'}Probe`, { httpGet: { path: string; port: string } } | undefined>;
type PodSpec = {
  initContainers?: Container[];
  containers?: Container[];
  securityContext?: { [key: string]: unknown; seccompProfile?: { type: string } };
  volumes?: { name: string }[];
};
type Manifest = { apiVersion?: string; kind?: string; spec?: { template?: { spec: PodSpec } } };

const manifestsIn = (file: string): Manifest[] =>
  parseAllDocuments(read(file)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Manifest;
  });

const files = filesIn('deploy', '.yaml').filter((file) => !/deploy\/(prometheus|helm)\//.test(file));
const pods = files.flatMap((file) =>
  manifestsIn(file).flatMap((manifest) => {
    const spec = manifest.spec?.template?.spec;
    return spec === undefined ? [] : [{ file, spec }];
  }),
);
const allContainers = pods.flatMap(({ file, spec }) =>
  [...(spec.initContainers ?? []), ...(spec.containers ?? [])].map((container) => ({ file, spec, container })),
);
const ours = allContainers.filter(({ container }) => container.image.startsWith('crossfade:'));
const cases = ours.map(({ file, ...rest }) => [file, rest] as const);

const { version } = JSON.parse(read('package.json')) as { version: string };
const variables = new Set(configSettings.map(({ variable }) => variable));
/** `config.ts` reads them beside the settings. */
const downward = new Set(['POD_NAME', 'POD_IP']);

describe('manifests', () => {
  it.each(files)('%s is YAML with a kind', (file) => {
    for (const manifest of manifestsIn(file))
      if (!Array.isArray(manifest)) expect([manifest.apiVersion, manifest.kind]).not.toContain(undefined);
  });

  it('bring the sidecar in two forms, the Kustomize patch and the worker', () => {
    expect(ours.map(({ file }) => file)).toEqual([
      'deploy/kustomize/sidecar-patch.yaml',
      'deploy/sidecar-classic.yaml',
      'deploy/sidecar.yaml',
      'deploy/worker.yaml',
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

  it('mounts every folder that its variables point into', () => {
    const mounts = (container.volumeMounts ?? []).map(({ mountPath }) => mountPath);
    const values = (container.env ?? []).flatMap(({ value }) => (value?.startsWith('/') === true ? [value] : []));
    expect(values.filter((value) => !mounts.some((mount) => `${value}/`.startsWith(`${mount}/`)))).toEqual([]);
    const volumes = (spec.volumes ?? []).map(({ name }) => name);
    for (const { name } of container.volumeMounts ?? []) expect(volumes).toContain(name);
  });
});

describe('every container but the application', () => {
  const kept = allContainers.filter(({ container }) => container.name !== 'app');
  it.each(kept.map(({ file, ...rest }) => [file, rest] as const))(
    'of %s keeps the Restricted profile',
    (_, { container, spec }) => {
      const { securityContext = {} } = container;
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        runAsUser: 65532,
      });
      expect({ ...spec.securityContext, ...securityContext }).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
    },
  );

  it('that is a native sidecar is restarted with its pod, and stands before the application', () => {
    const native = pods.flatMap(({ spec }) => spec.initContainers ?? []);
    expect(native.length).toBe(2);
    for (const { restartPolicy } of native) expect(restartPolicy).toBe('Always');
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
