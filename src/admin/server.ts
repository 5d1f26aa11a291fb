/**
 * The admin listener: health, metrics, the JSON API and the dashboard. A thin shell over access.ts (who may), health.ts (what probes
 * say) and the functions passed in; it decides nothing about migrations. Everything it sends forbids framing, foreign
 * scripts and caching.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type Server as TlsServer, TLSSocket } from 'node:tls';
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Registry } from 'prom-client';
import type { AdminConfig } from '../config.ts';
import { CrossfadeError, isCrossfadeError, renderError } from '../errors.ts';
import { followTls, loadTls } from '../listener-tls.ts';
import type { Logger } from '../log.ts';
import { accessRefusal, isLoopbackAddress } from './access.ts';
import { type AdminApi, addApi } from './api.ts';
import { addEvents } from './events.ts';
import { type HealthFacts, liveness, type Probe, readiness, startup } from './health.ts';
import { addPage } from './page.ts';
import { createSampler } from './sampler.ts';

export type AdminOptions = {
  config: AdminConfig;
  /** The bearer token in force; undefined when none is configured. */
  token: (() => string) | undefined;
  /** The Prometheus text format. */
  registry: Pick<Registry, 'contentType' | 'metrics'>;
  health: () => HealthFacts;
  api: AdminApi;
  logger: Logger;
};

export interface AdminServer {
  listen(): Promise<{ host: string; port: number }>;
  close(): Promise<void>;
  /** For tests: a request without a socket. */
  readonly app: FastifyInstance;
}

const maxBodyBytes = 64 * 1024;
const securityHeaders = {
  'content-security-policy':
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

const splitAddress = (address: string): { host: string; port: number } => {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
};

/** Who shows no certificate may still show a token, so that is judged later. */
const tlsOptions = ({ tls }: AdminConfig) =>
  tls === undefined
    ? null
    : { ...loadTls(tls), ...(tls.caFile === undefined ? {} : { requestCert: true, rejectUnauthorized: false }) };

/** The types know the server without TLS only. */
const followCertificates = (app: FastifyInstance, { tls }: AdminConfig, logger: Logger): (() => void) =>
  tls === undefined ? () => undefined : followTls(app.server as unknown as TlsServer, tls, logger);

/** Compares digests, so that neither length nor content of the token shows in the time taken. */
const sameSecret = (a: string, b: string): boolean => {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
};

const bearer = (request: FastifyRequest): string | undefined =>
  /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];

const openPaths = ['/livez', '/readyz', '/startupz', '/metrics'];
const text = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join() : value;

const accessOf = (request: FastifyRequest, token: (() => string) | undefined, open: ReadonlySet<string>) => {
  const given = bearer(request);
  const { socket } = request.raw;
  return {
    open: open.has(request.url.split('?')[0] ?? ''),
    method: request.method,
    tokenMatches: given === undefined || token === undefined ? undefined : sameSecret(given, token()),
    certified: socket instanceof TLSSocket && socket.authorized,
    local: isLoopbackAddress(request.ip),
    host: request.headers.host,
    origin: request.headers.origin,
    fetchSite: text(request.headers['sec-fetch-site']),
    contentType: request.headers['content-type'],
  };
};

const asCrossfadeError = (error: unknown): CrossfadeError => {
  if (isCrossfadeError(error)) return error;
  const status = (error as FastifyError).statusCode ?? 500;
  return status < 500
    ? new CrossfadeError('USAGE', (error as Error).message, { cause: error })
    : new CrossfadeError('INTERNAL', undefined, { cause: error });
};

const sendError = (reply: FastifyReply, error: CrossfadeError): FastifyReply => {
  const { status, headers, body } = renderError(error);
  return reply.code(status).headers(headers).send(body);
};

const sendProbe = (reply: FastifyReply, probe: Probe): FastifyReply => reply.code(probe.ok ? 200 : 503).send(probe);

const addProbes = (app: FastifyInstance, health: () => HealthFacts): void => {
  app.get('/livez', (_, reply) => sendProbe(reply, liveness()));
  app.get('/startupz', (_, reply) => sendProbe(reply, startup(health())));
  app.get('/readyz', (_, reply) => sendProbe(reply, readiness(health())));
};

export const createAdminServer = ({ config, token, registry, health, api, logger }: AdminOptions): AdminServer => {
  const { host, port } = splitAddress(config.listen);
  const policy = { tokenConfigured: token !== undefined, loopbackOnly: isLoopbackAddress(host) };
  const app = fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    forceCloseConnections: true,
    https: tlsOptions(config),
  });
  const open = new Set([...openPaths, ...addPage(app)]);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(securityHeaders);
    const refusal = accessRefusal(policy, accessOf(request, token, open));
    if (refusal !== undefined) await sendError(reply, refusal);
  });
  app.setErrorHandler((error, request, reply) => {
    const mapped = asCrossfadeError(error);
    if (mapped.code === 'INTERNAL') logger.error({ err: error, path: request.url }, 'admin request failed');
    return sendError(reply, mapped);
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: { type: 'not_found', reason: `${request.method} ${request.url} is not known here` },
      status: 404,
    }),
  );
  addProbes(app, health);
  app.get('/metrics', async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  const unfollow = followCertificates(app, config, logger);
  const sampler = createSampler(api);
  addApi(app, api, sampler);
  addEvents(app, { sampler, self: { member: api.member, version: api.version }, boot: api.boot });
  return {
    app,
    listen: async () => {
      await app.listen({ host, port });
      const bound = app.server.address() as AddressInfo;
      return { host: bound.address, port: bound.port };
    },
    close: async () => {
      unfollow();
      await app.close();
    },
  };
};
