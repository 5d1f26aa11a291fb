/**
 * The server of node:http, or of node:https with certificates that are read again when they change, with its parser in strict
 * mode and its limits set. What the parser lets through is checked again in admission.ts.
 */
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Limits } from '../config.ts';
import type { Logger } from '../log.ts';
import { followTls, type ListenerTls, loadTls } from '../listener-tls.ts';

export type NodeServer = {
  readonly server: Server;
  /** The certificates are no longer looked at. */
  readonly unwatch: () => void;
};
type NodeServerOptions = { limits: Limits; tls?: ListenerTls | undefined; logger: Logger };

/** Connections above the limit that still get an answer instead of being dropped. */
const politeConnections = 256;

const serverOptions = ({ maxHeaderBytes, requestTimeoutMs, headersTimeoutMs, keepAliveMs }: Limits) => ({
  noDelay: true,
  keepAlive: true,
  insecureHTTPParser: false,
  // Missing and repeated Host are refused in admission, with an answer of ours.
  requireHostHeader: false,
  optimizeEmptyRequests: true,
  maxHeaderSize: maxHeaderBytes,
  requestTimeout: requestTimeoutMs,
  headersTimeout: requestTimeoutMs === 0 ? headersTimeoutMs : Math.min(headersTimeoutMs, requestTimeoutMs),
  keepAliveTimeout: keepAliveMs,
  connectionsCheckingInterval: Math.min(5000, Math.max(50, Math.floor(headersTimeoutMs / 4))),
});

const secureServer = (tls: ListenerTls, { limits, logger }: NodeServerOptions): NodeServer => {
  const asks = tls.caFile === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
  const options = {
    ...serverOptions(limits),
    ...asks,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: 10_000,
    allowHalfOpen: true,
  };
  const server = createSecureServer({ ...options, ...loadTls(tls) });
  return { server, unwatch: followTls(server, tls, logger) };
};

const plainServer = (limits: Limits): NodeServer => ({
  server: createServer(serverOptions(limits)),
  unwatch: () => undefined,
});

export const createNodeServer = (options: NodeServerOptions): NodeServer => {
  const { limits, tls } = options;
  const made = tls === undefined ? plainServer(limits) : secureServer(tls, options);
  // A limit on the number of headers would drop the rest without a word.
  made.server.maxHeadersCount = 0;
  made.server.maxConnections = limits.maxConnections + politeConnections;
  // Not in the types: else it would end its own side at once, and no answer could follow.
  Object.assign(made.server, { httpAllowHalfOpen: true });
  return made;
};
