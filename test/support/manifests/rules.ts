/**
 * What an API server refuses or a kubelet ignores although the schema accepts it: names, selectors, references inside a pod,
 * quantities, and the Restricted profile. `manifestProblems` is schema and rules together.
 */
import { type Manifest, schemaProblems } from './schema.ts';

type Probe = { httpGet?: { path: string; port: string | number } };
export type Container = {
  name: string;
  image: string;
  restartPolicy?: string;
  args?: string[];
  env?: { name: string; value?: string; valueFrom?: object }[];
  envFrom?: { configMapRef?: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  resources?: Record<'requests' | 'limits', Record<string, string> | undefined>;
  securityContext?: Record<string, unknown>;
  lifecycle?: Record<string, unknown>;
  startupProbe?: Probe & { periodSeconds?: number; failureThreshold?: number };
  readinessProbe?: Probe;
  livenessProbe?: Probe & { periodSeconds?: number; failureThreshold?: number };
};
export type PodSpec = {
  initContainers?: Container[];
  containers?: Container[];
  volumes?: { name: string; emptyDir?: object; secret?: object; configMap?: { name: string } }[];
  securityContext?: Record<string, unknown>;
  automountServiceAccountToken?: boolean;
  terminationGracePeriodSeconds?: number;
};
type Workload = {
  selector?: { matchLabels?: Record<string, string> };
  template?: { metadata?: { labels?: Record<string, string> }; spec?: PodSpec };
};

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const portName = /^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/;
const quantity = /^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$/;
const variable = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

const workloadOf = (manifest: Manifest): Workload => (manifest['spec'] ?? {}) as Workload;
export const podOf = (manifest: Manifest): PodSpec | undefined => workloadOf(manifest).template?.spec;
export const containersOf = ({ initContainers = [], containers = [] }: PodSpec): Container[] => [
  ...initContainers,
  ...containers,
];

const repeated = (names: readonly string[]): string[] => names.filter((name, i) => names.indexOf(name) !== i);
const problem = (holds: boolean, text: string): string[] => (holds ? [] : [text]);

const containerProblems = (container: Container, pod: PodSpec): string[] => {
  const { name, ports = [], env = [], volumeMounts = [] } = container;
  const volumes = (pod.volumes ?? []).map((volume) => volume.name);
  const probed = [container.startupProbe, container.readinessProbe, container.livenessProbe].flatMap((probe) =>
    typeof probe?.httpGet?.port === 'string' ? [probe.httpGet.port] : [],
  );
  const quantities = Object.values(container.resources ?? {}).flatMap((amounts) => Object.values(amounts ?? {}));
  return [
    ...problem(dnsLabel.test(name), `${name} is no name for a container`),
    ...ports.flatMap((port) => problem(portName.test(port.name), `${port.name} is no name for a port`)),
    ...probed.flatMap((port) =>
      problem(
        ports.some((one) => one.name === port),
        `a probe of ${name} asks port ${port}`,
      ),
    ),
    ...env.flatMap((one) => problem(variable.test(one.name), `${one.name} is no name for a variable`)),
    ...repeated(env.map((one) => one.name)).map((twice) => `${twice} is set twice in ${name}`),
    ...repeated(volumeMounts.map(({ mountPath }) => mountPath)).map((twice) => `${twice} is mounted twice in ${name}`),
    ...volumeMounts.flatMap((mount) => problem(volumes.includes(mount.name), `${name} mounts no volume ${mount.name}`)),
    ...quantities.flatMap((amount) => problem(quantity.test(amount), `${amount} is no quantity`)),
  ];
};

const podProblems = (pod: PodSpec): string[] => [
  ...containersOf(pod).flatMap((container) => containerProblems(container, pod)),
  ...repeated(containersOf(pod).map(({ name }) => name)).map((twice) => `two containers are called ${twice}`),
  ...repeated((pod.volumes ?? []).map(({ name }) => name)).map((twice) => `two volumes are called ${twice}`),
];

const selectorProblems = ({ selector, template }: Workload): string[] =>
  Object.entries(selector?.matchLabels ?? {}).flatMap(([label, value]) =>
    problem(template?.metadata?.labels?.[label] === value, `the selector asks for ${label}=${value}, the pods lack it`),
  );

/** Empty when schema and rules find nothing. */
export const manifestProblems = (manifest: Manifest): string[] => {
  const name = manifest.metadata?.name ?? '';
  const pod = podOf(manifest);
  return [
    ...schemaProblems(manifest),
    ...problem(
      name.length <= 253 && name.split('.').every((part) => dnsLabel.test(part)),
      `${name} is no name for an object`,
    ),
    ...(pod === undefined ? [] : [...selectorProblems(workloadOf(manifest)), ...podProblems(pod)]),
  ];
};

/** What the Restricted profile asks for, and beyond it a read-only root and an own user. */
export const restrictedProblems = (container: Container, pod: PodSpec): string[] => {
  const context = { ...pod.securityContext, ...container.securityContext } as Record<string, unknown> & {
    seccompProfile?: { type: string };
    capabilities?: { drop?: string[]; add?: string[] };
    runAsUser?: number;
  };
  return [
    ...problem(context['runAsNonRoot'] === true, 'may run as root'),
    ...problem((context.runAsUser ?? 0) > 0, 'names no user'),
    ...problem(context['allowPrivilegeEscalation'] === false, 'may gain privileges'),
    ...problem(context['readOnlyRootFilesystem'] === true, 'may write to its root'),
    ...problem(context.seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile'),
    ...problem(context.capabilities?.drop?.includes('ALL') === true, 'keeps capabilities'),
    ...problem(context.capabilities?.add === undefined, 'adds capabilities'),
  ].map((text) => `${container.name} ${text}`);
};
