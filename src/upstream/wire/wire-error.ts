/**
 * What can go wrong between a request and its answer, apart from what sockets and TLS report themselves. Whether the
 * request can have reached the cluster is not told by the error but by when it comes; see Asker.
 */
export type WireFault =
  /** The request cannot be put into HTTP/1.1 without changing its meaning. */
  | 'refused'
  /** No more requests are taken. */
  | 'closed'
  /** The server closed the connection. */
  | 'cut'
  /** The answer is not HTTP/1.1, or could be read in two ways. */
  | 'invalid'
  /** The body is not as long as was declared. */
  | 'body'
  | 'connect-timeout';

export class WireError extends Error {
  readonly fault: WireFault;

  constructor(fault: WireFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WireError';
    this.fault = fault;
  }
}
