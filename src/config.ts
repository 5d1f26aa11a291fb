/**
 * What an operator can set for one process, as one strict schema: every unit is in the name, every field has a default
 * and a description, `docs/configuration.md` is held against it. loading.ts turns file and environment into this shape.
 * Route settings are not here: they live in the store (coordination/records.ts) so that all replicas share them.
 */
import * as z from 'zod';
import { MemberName, RouteSpec } from './coordination/records.ts';

const ListenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'host:port')
  .describe('host:port');
const FilePath = z.string().min(1);

export const TlsClient = z.strictObject({
  caFile: FilePath.optional().describe('PEM bundle that signs the server'),
  certFile: FilePath.optional().describe('client certificate'),
  keyFile: FilePath.optional(),
  serverName: z.string().optional().describe('name to verify instead of the host in the URL'),
  verify: z.boolean().default(true).describe('false accepts any certificate; for experiments only'),
});
export type TlsClient = z.infer<typeof TlsClient>;

export const SigV4 = z.strictObject({
  region: z.string().min(1),
  service: z.enum(['es', 'aoss']).default('es'),
  accessKeyId: z.string().optional(),
  accessKeyIdFile: FilePath.optional(),
  secretAccessKey: z.string().optional(),
  secretAccessKeyFile: FilePath.optional(),
  sessionToken: z.string().optional(),
  sessionTokenFile: FilePath.optional(),
});
export type SigV4 = z.infer<typeof SigV4>;

const urls = z.union([
  z.url({ protocol: /^https?$/ }).transform((url) => [url]),
  z.array(z.url({ protocol: /^https?$/ })).min(1),
]);

export const ClusterConfig = z
  .strictObject({
    url: urls.describe('one URL or a list; requests go round-robin over the live ones'),
    username: z.string().optional(),
    password: z.string().optional(),
    passwordFile: FilePath.optional().describe('re-read when it changes'),
    apiKey: z.string().optional(),
    apiKeyFile: FilePath.optional(),
    sigv4: SigV4.optional(),
    tls: TlsClient.optional(),
    passClientCredentials: z
      .boolean()
      .optional()
      .describe('send the client Authorization on; default: source yes unless credentials are set, target no'),
    maxConnections: z.int().min(1).default(256).describe('per URL'),
    connectTimeoutMs: z.int().min(1).default(5000),
    requestTimeoutMs: z.int().min(1).default(330_000).describe('from the request to the last byte of the answer'),
  })
  .superRefine((cluster, context) => {
    const ways = [cluster.username, cluster.apiKey ?? cluster.apiKeyFile, cluster.sigv4].filter(
      (way) => way !== undefined,
    );
    if (ways.length > 1) context.addIssue({ code: 'custom', path: [], message: 'set one of username, apiKey, sigv4' });
    if (cluster.username !== undefined && cluster.password === undefined && cluster.passwordFile === undefined)
      context.addIssue({ code: 'custom', path: ['password'], message: 'username needs password or passwordFile' });
  });
export type ClusterConfig = z.infer<typeof ClusterConfig>;

export const Limits = z.strictObject({
  maxBodyBytes: z
    .int()
    .min(1024)
    .default(100 * 1024 * 1024)
    .describe('bodies and answers that a plan must hold'),
  maxHeaderBytes: z
    .int()
    .min(1024)
    .default(16 * 1024),
  maxConnections: z.int().min(1).default(10_000),
  headersTimeoutMs: z.int().min(1).default(60_000),
  requestTimeoutMs: z.int().min(0).default(300_000).describe('for the client to send its whole request; 0 = none'),
  keepAliveMs: z
    .int()
    .min(0)
    .default(120_000)
    .describe('idle client connections; longer than the application pool keeps them'),
});
export type Limits = z.infer<typeof Limits>;

export const NatsConfig = z.strictObject({
  servers: z.array(z.string().min(1)).min(1),
  bucket: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .default('crossfade'),
  credentialsFile: FilePath.optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  passwordFile: FilePath.optional(),
  token: z.string().optional(),
  tokenFile: FilePath.optional(),
  tls: TlsClient.optional(),
  replicas: z.int().min(1).max(5).default(1).describe('of the buckets, when this process creates them'),
  createBuckets: z.boolean().default(true),
});
export type NatsConfig = z.infer<typeof NatsConfig>;

export const Config = z.strictObject({
  listen: ListenAddress.default('127.0.0.1:9200'),
  tls: z
    .strictObject({
      certFile: FilePath,
      keyFile: FilePath,
      caFile: FilePath.optional().describe('asks clients for a certificate'),
    })
    .optional(),
  limits: Limits.prefault({}),
  admin: z
    .strictObject({
      listen: ListenAddress.default('127.0.0.1:9600'),
      token: z.string().optional(),
      tokenFile: FilePath.optional(),
      publicUrl: z.url().optional().describe('how other pods reach this admin listener'),
    })
    .prefault({}),
  member: MemberName.optional().describe('default: POD_NAME, else the host name'),
  clusters: z.strictObject({
    source: ClusterConfig,
    target: ClusterConfig.optional().describe('default: the source (a reindex inside one cluster)'),
  }),
  nats: NatsConfig.optional(),
  store: z.strictObject({ file: FilePath.default('./crossfade-state.json') }).prefault({}),
  stateDir: FilePath.optional().describe(
    'where the last known good routes are kept over restarts; default: beside store.file',
  ),
  routes: z.array(RouteSpec).default([]).describe('seeds the embedded store'),
  shutdown: z.strictObject({ graceMs: z.int().min(0).default(25_000) }).prefault({}),
  log: z
    .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info') })
    .prefault({}),
  sideHeader: z.boolean().default(true),
});
export type Config = z.infer<typeof Config>;
