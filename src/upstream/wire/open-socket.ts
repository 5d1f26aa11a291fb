/**
 * Opens TCP and TLS connections. All of them read into one buffer, since its content is taken out before the next read of
 * any of them: a buffer and a stream's bookkeeping for each read would cost as much as the read.
 */
import { connect as connectTcp, isIP, Socket, type SocketConstructorOpts, type TcpSocketConnectOpts } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';

export type TlsOptions = {
  rejectUnauthorized: boolean;
  /** Another one after the certificates have changed. */
  secureContext: SecureContext;
  /** For certificates that do not name the host of the URL. */
  servername?: string;
};

type Options = TcpSocketConnectOpts & Pick<SocketConstructorOpts, 'onread'>;

/** Asks the system to probe connections that say nothing for so long. */
const tcpKeepAliveMs = 60_000;
const readBytes = 64 * 1024;

let shared: Buffer | undefined;

/**
 * A server that wants no more of a body answers and hangs up. Where writing fails, that answer has come already: it is
 * read before the failure closes the connection, which takes one round of the event loop.
 */
const readBeforeFailing = (socket: Socket): Socket => {
  const fail = (error: Error): void => void setImmediate(() => Socket.prototype.destroy.call(socket, error));
  socket.destroy = (error?: Error & { syscall?: string }) => {
    if (error?.syscall !== 'write') return Socket.prototype.destroy.call(socket, error);
    setImmediate(fail, error);
    return socket;
  };
  return socket;
};

/** How to reach one URL. */
export class Opener {
  readonly #host: string;
  readonly #port: number;
  readonly #tls: (() => TlsOptions) | undefined;
  #session: { ticket: Buffer; of: SecureContext } | undefined;

  /** `tls`: asked for each connection; undefined = in the clear. */
  constructor(origin: URL, tls: (() => TlsOptions) | undefined) {
    this.#host = origin.hostname.replace(/^\[(.*)\]$/, '$1');
    this.#port = origin.port === '' ? (tls === undefined ? 80 : 443) : Number(origin.port);
    this.#tls = tls;
  }

  /**
   * Does the end of a connection say that its server has ended it? Not over TLS: node tells an end that was signed from one
   * that anybody on the way can make by nothing.
   */
  get endsAreTrue(): boolean {
    return this.#tls === undefined;
  }

  /** The event of a socket that can be used. */
  get readyEvent(): 'connect' | 'secureConnect' {
    return this.#tls === undefined ? 'connect' : 'secureConnect';
  }

  /** `onBytes` is given bytes that are its own; it returns false to be given no more until `socket.resume()`. */
  open(onBytes: (bytes: Buffer) => boolean): Socket {
    const buffer = (shared ??= Buffer.allocUnsafeSlow(readBytes));
    const callback = (size: number): boolean => {
      const bytes = Buffer.allocUnsafe(size);
      buffer.copy(bytes, 0, 0, size);
      return onBytes(bytes);
    };
    const options: Options = {
      host: this.#host,
      port: this.#port,
      onread: { buffer, callback },
    };
    const socket = this.#tls === undefined ? connectTcp(options) : this.#openTls(this.#tls(), options);
    return readBeforeFailing(socket).setNoDelay(true).setKeepAlive(true, tcpKeepAliveMs);
  }

  #openTls(tls: TlsOptions, options: Options): TLSSocket {
    const servername = tls.servername ?? (isIP(this.#host) === 0 ? this.#host : undefined);
    const socket = connectTls({
      ...options,
      ...tls,
      ...(servername === undefined ? {} : { servername }),
      ...(this.#session?.of === tls.secureContext ? { session: this.#session.ticket } : {}),
      ALPNProtocols: ['http/1.1'],
    });
    // Told only once the server has been verified.
    socket.on('session', (ticket) => {
      this.#session = { ticket, of: tls.secureContext };
    });
    return socket;
  }
}
