/**
 * The listener in front of a pretended cluster, and raw sockets to speak to it: what tests need to send bytes that no
 * HTTP client would send, and to see what came out on the other side.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import tlsLibrary from 'node:tls';
import { ClusterConfig, Limits } from '../../src/config.ts';
import { silentLogger } from '../../src/log.ts';
import type { ClientRequest, RequestEvent } from '../../src/proxy/client-request.ts';
import { createHandler } from '../../src/proxy/execute.ts';
import type { Executors } from '../../src/proxy/executors.ts';
import { createListener, type Listener } from '../../src/proxy/listener.ts';
import type { Operation, Plan, RouteTable } from '../../src/proxy/types.ts';
import { type ClusterOptions, createCluster } from '../../src/upstream/cluster.ts';
import type { Cluster } from '../../src/upstream/types.ts';

export type Seen = { method: string; url: string; rawHeaders: string[]; body: Buffer; connection: Socket };
export type Stub = { url: string; port: number; seen: Seen[]; sockets: Set<Socket>; close(): Promise<void> };

const closing = (server: net.Server, sockets: Set<Socket>) => async (): Promise<void> => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
};

const tracked = (server: net.Server): Set<Socket> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
};

const listening = async (server: net.Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

/** A cluster over node:http that keeps what it was sent; answers 200 `{}` unless told otherwise. */
export const stubCluster = async (
  answer: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void = (_, response) =>
    response.end('{}'),
): Promise<Stub> => {
  const seen: Seen[] = [];
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const { method = '', url = '', rawHeaders, socket } = request;
      seen.push({ method, url, rawHeaders, body, connection: socket });
      answer(request, response, body);
    });
  });
  const sockets = tracked(server);
  const port = await listening(server);
  return { url: `http://127.0.0.1:${port}`, port, seen, sockets, close: closing(server, sockets) };
};

/** A server of bytes: each connection is handed over as it is. */
export const netStub = async (onSocket: (socket: Socket, index: number) => void): Promise<Omit<Stub, 'seen'>> => {
  let index = 0;
  const server = net.createServer((socket) => onSocket(socket, index++));
  const sockets = tracked(server);
  const port = await listening(server);
  return { url: `http://127.0.0.1:${port}`, port, sockets, close: closing(server, sockets) };
};

/** A port that nobody listens on. */
export const closedPort = async (): Promise<number> => {
  const server = net.createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
};

export const openCluster = (
  url: string | string[],
  config: Record<string, unknown> = {},
  options: Partial<ClusterOptions> = {},
): Cluster =>
  createCluster(ClusterConfig.parse({ url, ...config }), { side: 'source', logger: silentLogger(), ...options });

export type Front = {
  port: number;
  url: string;
  events: RequestEvent[];
  listener: Listener;
  cluster: Cluster;
  close(): Promise<void>;
};
type FrontOptions = {
  limits?: Record<string, number>;
  cluster?: Record<string, unknown>;
  handle?: (request: ClientRequest) => Promise<void> | undefined;
  fastPath?: boolean;
  /** Serve over TLS. */
  tls?: NonNullable<Parameters<typeof createListener>[0]['tls']>;
};

const noRoutes: RouteTable = { states: [], lookup: () => undefined, resolve: () => ({ kind: 'none' }) };
const unexpected = (): never => {
  throw new Error('nothing is classified while no route is active');
};

/** The listener with no route, so that everything passes to `upstreamUrl`. */
export const startFront = async (upstreamUrl: string, options: FrontOptions = {}): Promise<Front> => {
  const cluster = openCluster(upstreamUrl, options.cluster);
  const events: RequestEvent[] = [];
  let address = '';
  const handle =
    options.handle ??
    createHandler({
      clusters: { source: cluster, target: cluster },
      table: () => noRoutes,
      classify: unexpected as () => Operation,
      plan: unexpected as () => Plan,
      executors: {} as Executors,
      listening: () => ({ address, defaultPort: options.tls === undefined ? 80 : 443 }),
      maxBodyBytes: 1 << 20,
    });
  const limits = Limits.parse(options.limits ?? {});
  const listener = createListener({
    limits,
    logger: silentLogger(),
    handle,
    observe: (event) => events.push(event),
    fastPath: options.fastPath ?? true,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  const { host, port } = await listener.listen('127.0.0.1:0');
  address = `${host}:${port}`;
  const close = async (): Promise<void> => {
    await listener.close();
    await cluster.close();
  };
  return { port, url: `http://127.0.0.1:${port}`, events, listener, cluster, close };
};

export type Raw = { socket: Socket; text(): string; closed: Promise<string>; until(found: RegExp): Promise<string> };

/** A connection that keeps all it receives. */
export const rawConnection = async (port: number, tls?: tlsLibrary.ConnectionOptions): Promise<Raw> => {
  const to = { port, host: '127.0.0.1' };
  const socket = tls === undefined ? net.connect(to) : tlsLibrary.connect({ ...to, ...tls });
  let text = '';
  const waiting = new Set<() => void>();
  const check = (): void => {
    for (const one of waiting) one();
  };
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    check();
  });
  socket.on('error', () => undefined);
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  const until = (found: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!found.test(text)) return;
        waiting.delete(look);
        resolve(text);
      };
      waiting.add(look);
      void closed.then(() => reject(new Error(`closed before ${found} came; got ${JSON.stringify(text)}`)));
      look();
    });
  await new Promise((resolve, reject) =>
    socket.once(tls === undefined ? 'connect' : 'secureConnect', resolve).once('error', reject),
  );
  return { socket, text: () => text, closed, until };
};

/** Sends bytes and waits until the other side closes the connection. */
export const sendRaw = async (port: number, bytes: string): Promise<string> => {
  const { socket, closed } = await rawConnection(port);
  socket.write(Buffer.from(bytes, 'latin1'));
  return closed;
};
