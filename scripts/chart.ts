/**
 * Makes the parts of the Helm chart that stand elsewhere: `values.schema.json` from the shape below and the configuration
 * of the product, and copies of the rules and of the dashboard, because a chart can read no file outside of its folder.
 * `node scripts/chart.ts` writes them; a test compares, so that the chart cannot fall behind.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { configNode } from '../src/config/load.ts';
import type { SchemaNode } from '../src/config/settings.ts';

const map = z.record(z.string(), z.string());
const anything = z.record(z.string(), z.unknown());
const list = z.array(anything);
const count = z.int().min(0);
const port = z.int().min(1).max(65535);
const resources = z.strictObject({
  requests: z.strictObject({ cpu: z.string(), memory: z.string() }).partial().optional(),
  limits: z.strictObject({ cpu: z.string(), memory: z.string() }).partial().optional(),
});

const Values = z
  .strictObject({
    enabled: z.boolean(),
    // Helm passes it to every chart.
    global: anything,
    image: z.strictObject({
      repository: z.string().min(1),
      tag: z.string(),
      digest: z.union([z.literal(''), z.string().regex(/^sha256:[0-9a-f]{64}$/)]),
      pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
    }),
    imagePullSecrets: list,
    secretName: z.string().min(1),
    extraVolumes: list,
    extraVolumeMounts: list,
    sidecar: z.strictObject({ native: z.boolean(), resources }),
    worker: z.strictObject({
      enabled: z.boolean(),
      replicas: count,
      autoscaling: z.strictObject({
        kind: z.enum(['none', 'hpa', 'keda']),
        minReplicas: count,
        maxReplicas: z.int().min(1),
        chunksPerWorker: z.int().min(1),
        prometheusAddress: z.string(),
      }),
      terminationGracePeriodSeconds: count,
      nodeSelector: map,
      tolerations: list,
      resources,
    }),
    natsBuckets: z.strictObject({
      enabled: z.boolean(),
      image: z.string().min(1),
      replicas: z.int().min(1).max(5),
      username: z.string(),
      secretName: z.string().min(1),
      secretKey: z.string().min(1),
    }),
    podMonitor: z.strictObject({
      enabled: z.boolean(),
      interval: z.string().regex(/^\d+(ms|s|m)$/),
      labels: map,
      namespaces: z.array(z.string()),
    }),
    prometheusRule: z.strictObject({ enabled: z.boolean(), labels: map, runbookBaseUrl: z.string() }),
    grafanaDashboard: z.strictObject({ enabled: z.boolean(), labels: map }),
    networkPolicy: z.strictObject({
      enabled: z.boolean(),
      podLabels: map,
      applicationPorts: z.array(port),
      monitoringNamespace: z.string().min(1),
      nats: list,
      natsPort: port,
      clusters: list,
      clustersPort: port,
      extraEgress: list,
    }),
  })
  .partial();

/**
 * The settings of the product without those that are secrets, which would end in a ConfigMap, and without our own marks.
 * Sections are closed, so that a misspelt setting fails at `helm template` and not in the pod.
 */
const settingsSchema = (node: SchemaNode): object => {
  const { form: _form, secret: _secret, properties, items, anyOf, ...rest } = node;
  const shown = Object.entries(properties ?? {}).filter(([, child]) => child.secret !== true);
  return {
    ...rest,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(shown.map(([name, child]) => [name, settingsSchema(child)])) }),
    ...(items === undefined ? {} : { items: settingsSchema(items) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(settingsSchema) }),
  };
};

const valuesSchema = (): string => {
  const { $schema, properties, ...rest } = z.toJSONSchema(Values, { target: 'draft-7', io: 'input' });
  const config = settingsSchema(configNode) as { $schema?: string; properties: Record<string, object> };
  delete config.$schema;
  // They seed the embedded store, which the pods of a Deployment cannot share.
  delete config.properties['routes'];
  const schema = { $schema, ...rest, required: ['config'], properties: { config, ...properties } };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
};

const root = join(import.meta.dirname, '..');
const copyOf = (path: string) => (): string => readFileSync(join(root, path), 'utf8');

/** Path from the root, and the text that belongs there. */
export const chartParts: readonly { path: string; render: () => string }[] = [
  { path: 'deploy/helm/crossfade/values.schema.json', render: valuesSchema },
  {
    path: 'deploy/helm/crossfade/files/crossfade-rules.yaml',
    render: copyOf('deploy/prometheus/crossfade-rules.yaml'),
  },
  { path: 'deploy/helm/crossfade/files/crossfade.json', render: copyOf('deploy/grafana/crossfade.json') },
];

if (process.argv[1] === import.meta.filename) {
  for (const { path, render } of chartParts) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), render());
  }
}
