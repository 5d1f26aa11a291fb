/**
 * What an operator can set for one process, as one strict schema: every unit is in the name, every field has a default
 * or is optional and has a description; `docs/configuration.md` is held against it. config/load.ts turns a file and the
 * environment into this shape and reports every mistake at once. Rules over several fields are in config/cross-checks.ts.
 * Route settings are not here: they live in the store (coordination/records.ts) so that all replicas share them.
 */
import * as z from 'zod';
import { milliseconds } from './coordination/durations.ts';
import { MemberName } from './coordination/records.ts';
import { RouteSpec } from './coordination/route-spec.ts';

const ListenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/)
  .meta({ form: 'host:port' });
const FilePath = z.string().min(1).meta({ form: 'path of a readable file' });
/** Never printed: not in messages, not in the effective configuration. */
const Secret = z.string().min(1).meta({ secret: true });

export const TlsClient = z.strictObject({
  caFile: FilePath.optional().describe('PEM bundle that signs the server'),
  certFile: FilePath.optional().describe('PEM client certificate'),
  keyFile: FilePath.optional().describe('PEM key of the client certificate'),
  serverName: z.string().optional().describe('name to verify instead of the host in the URL'),
  verify: z.boolean().default(true).describe('false accepts any certificate; for experiments only'),
});
export type TlsClient = z.infer<typeof TlsClient>;

export const TlsServer = z.strictObject({
  certFile: FilePath.describe('PEM certificate, with its chain; re-read when it changes'),
  keyFile: FilePath.describe('PEM key of the certificate; re-read when it changes'),
  caFile: FilePath.optional().describe('PEM bundle; when set, clients must show a certificate signed by it'),
});
export type TlsServer = z.infer<typeof TlsServer>;

export const SigV4 = z.strictObject({
  region: z.string().min(1).describe('AWS region of the domain'),
  service: z.enum(['es', 'aoss']).default('es').describe('es for domains, aoss for serverless collections'),
  accessKeyId: z.string().optional().describe('static access key'),
  accessKeyIdFile: FilePath.optional().describe('file that holds the access key; re-read when it changes'),
  secretAccessKey: Secret.optional().describe('static secret key'),
  secretAccessKeyFile: FilePath.optional().describe('file that holds the secret key; re-read when it changes'),
  sessionToken: Secret.optional().describe('token of temporary credentials'),
  sessionTokenFile: FilePath.optional().describe('file that holds the token; re-read when it changes'),
});
export type SigV4 = z.infer<typeof SigV4>;

const clusterUrl = z.url({ protocol: /^https?$/ }).meta({ form: 'http:// or https:// URL' });
const urls = z
  .union([clusterUrl.transform((url) => [url]), z.array(clusterUrl).min(1)])
  .meta({ form: 'http:// or https:// URL, or a list of them' });

export const ClusterConfig = z.strictObject({
  url: urls.describe('one URL or a list; requests go round-robin over the live ones'),
  username: z.string().optional().describe('basic authentication'),
  password: Secret.optional().describe('basic authentication'),
  passwordFile: FilePath.optional().describe('file that holds the password; re-read when it changes'),
  apiKey: Secret.optional().describe('sent as Authorization: ApiKey'),
  apiKeyFile: FilePath.optional().describe('file that holds the API key; re-read when it changes'),
  sigv4: SigV4.optional(),
  tls: TlsClient.optional(),
  passClientCredentials: z
    .boolean()
    .optional()
    .describe('send the Authorization of the client on; default: source yes unless credentials are set, target no'),
  maxConnections: z.int().min(1).default(256).describe('connections per URL'),
  connectTimeoutMs: milliseconds(1).default(5000).describe('for a connection to be made'),
  requestTimeoutMs: milliseconds(1).default(330_000).describe('from the request to the last byte of the answer'),
});
export type ClusterConfig = z.infer<typeof ClusterConfig>;

export const Limits = z.strictObject({
  maxBodyBytes: z
    .int()
    .min(1024)
    .default(100 * 1024 * 1024)
    .describe('bodies and answers that have to be held to route a request'),
  maxHeaderBytes: z
    .int()
    .min(1024)
    .default(16 * 1024)
    .describe('header section of a request'),
  maxConnections: z.int().min(1).default(10_000).describe('open connections of the application'),
  headersTimeoutMs: milliseconds(1).default(60_000).describe('for the client to send its header section'),
  requestTimeoutMs: milliseconds(0).default(300_000).describe('for the client to send its whole request; 0 = none'),
  keepAliveMs: milliseconds(0)
    .default(120_000)
    .describe('idle connections of the application; longer than its own pool keeps them'),
});
export type Limits = z.infer<typeof Limits>;

export const NatsConfig = z.strictObject({
  servers: z
    .array(
      z
        .string()
        .regex(/^((nats|tls):\/\/)?[^\s,/]+\/?$/)
        .meta({ form: 'nats://host:port' }),
    )
    .min(1)
    .describe('servers of one NATS cluster'),
  bucket: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .default('crossfade')
    .meta({ form: 'letters, digits, - and _' })
    .describe('key-value bucket; heartbeats and leases go to <bucket>_live'),
  credentialsFile: FilePath.optional().describe('.creds file with JWT and seed'),
  username: z.string().optional().describe('user of the NATS account'),
  password: Secret.optional().describe('password of the user'),
  passwordFile: FilePath.optional().describe('file that holds the password'),
  token: Secret.optional().describe('token authentication'),
  tokenFile: FilePath.optional().describe('file that holds the token'),
  tls: TlsClient.optional(),
  replicas: z.int().min(1).max(5).default(1).describe('of the buckets, when this process creates them'),
  createBuckets: z.boolean().default(true).describe('create missing buckets'),
});
export type NatsConfig = z.infer<typeof NatsConfig>;

export const AdminConfig = z.strictObject({
  listen: ListenAddress.default('127.0.0.1:9600').describe('health, metrics and admin API'),
  token: Secret.optional().describe('bearer token that the admin API asks for'),
  tokenFile: FilePath.optional().describe('file that holds the token; re-read when it changes'),
  tls: TlsServer.optional(),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ form: 'http:// or https:// URL' })
    .describe('how other members reach this listener'),
});
export type AdminConfig = z.infer<typeof AdminConfig>;

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

export const Config = z.strictObject({
  listen: ListenAddress.default('127.0.0.1:9200').describe('where the application connects to'),
  tls: TlsServer.optional().describe('serve the application over TLS'),
  limits: Limits.prefault({}),
  admin: AdminConfig.prefault({}),
  member: MemberName.optional()
    .meta({ form: 'letters, digits and - _ / = . ; at most 128' })
    .describe('name of this process among the members; default: POD_NAME, else the host name'),
  clusters: z.strictObject({
    source: ClusterConfig,
    target: ClusterConfig.optional().describe('default: the source (a reindex inside one cluster)'),
  }),
  nats: NatsConfig.optional().describe('coordination over NATS; without it one process keeps its state in store.file'),
  store: z
    .strictObject({
      file: z
        .string()
        .min(1)
        .default('./crossfade-state.json')
        .meta({ form: 'path in a writable folder' })
        .describe('embedded store, used when NATS is not configured'),
    })
    .prefault({}),
  stateDir: z
    .string()
    .min(1)
    .optional()
    .meta({ form: 'path of a writable folder' })
    .describe('where the last known good routes are kept over restarts; default: beside store.file'),
  routes: z.array(RouteSpec).default([]).describe('seeds the embedded store'),
  shutdown: z
    .strictObject({
      graceMs: milliseconds(0)
        .default(25_000)
        .describe('longest wait for the connections of the application at SIGTERM'),
      quietMs: milliseconds(0)
        .default(5000)
        .describe(
          'within it: how long after SIGTERM and after its last connection the application may open another one',
        ),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(logLevels).default('info').describe('lowest level that is written') })
    .prefault({}),
  sideHeader: z.boolean().default(true).describe('x-crossfade-side in answers names the side that answered'),
});
export type Config = z.infer<typeof Config>;

/** What the command line needs of the same file and environment: the store and the admin token, no cluster. */
export const CliConfig = Config.partial({ clusters: true });
export type CliConfig = z.infer<typeof CliConfig>;
