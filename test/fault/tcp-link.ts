/** A TCP link between one process and a server that can be cut without either of them being told, or made long. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type TcpLink = {
  port: number;
  /** Bytes go nowhere from now on; connections stay open, as with a switch that has lost its route. */
  cut(): void;
  /** What the server answers arrives so much later; `heal` ends it. */
  delay(ms: number): void;
  /** Connections end, and new ones do too, as with a server whose process is gone. */
  refuse(): void;
  /** Ends what was cut, so that the process connects anew. */
  heal(): void;
  close(): void;
};

export const startTcpLink = async (to: { host: string; port: number }): Promise<TcpLink> => {
  const sockets = new Set<Socket>();
  let isCut = false;
  let delayMs = 0;
  let isRefusing = false;
  const endAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const join = (from: Socket, into: Socket, lag = () => 0): void => {
    sockets.add(from);
    from.on('data', (bytes) => {
      if (isCut) return;
      const waitMs = lag();
      if (waitMs === 0) into.write(bytes);
      else setTimeout(() => into.writable && into.write(bytes), waitMs);
    });
    from.on('error', () => undefined);
    from.once('close', () => {
      sockets.delete(from);
      into.destroy();
    });
  };
  const server = createServer((near) => {
    if (isRefusing) return void near.destroy();
    const far = connect(to.port, to.host);
    join(near, far);
    join(far, near, () => delayMs);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      isCut = true;
    },
    delay: (ms) => {
      delayMs = ms;
    },
    refuse: () => {
      isRefusing = true;
      endAll();
    },
    heal: () => {
      isCut = false;
      delayMs = 0;
      isRefusing = false;
      endAll();
    },
    close: () => {
      server.close();
      endAll();
    },
  };
};
