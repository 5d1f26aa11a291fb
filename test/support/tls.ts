/** Servers over TLS with the certificates of test/fixtures/tls, and the files of these. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls';

export const tlsFile = (name: string): string => join(import.meta.dirname, '../fixtures/tls', name);
export const tlsBytes = (name: string): Buffer => readFileSync(tlsFile(name));
/** For clients of such a server. */
export const trust = { caFile: tlsFile('ca.pem'), serverName: 'cluster.example' };

export type TlsStub = { url: string; port: number; server: Server; close(): Promise<void> };

/** A server of bytes over TLS: each connection is handed over as it is. */
export const tlsStub = async (onSocket: (socket: TLSSocket) => void, options: TlsOptions = {}): Promise<TlsStub> => {
  const sockets = new Set<TLSSocket>();
  const files = { key: tlsBytes('server.key'), cert: tlsBytes('server.pem') };
  const server = createServer({ ...files, ALPNProtocols: ['http/1.1'], ...options }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `https://127.0.0.1:${port}`, port, server, close };
};
