/**
 * The one way to speak HTTP to a cluster: a buffered request for everything that must look at the answer. Streaming
 * pass-through lives beside it in this room and uses the same pools, credentials and TLS. There is no second HTTP client.
 * The simulation implements this port with a deterministic fake of the storage.
 */
export type UpstreamRequest = {
  method: string;
  /** Raw path and query as they go on the wire, starting with `/`. */
  path: string;
  /** Lower-case names. Credentials are added by the transport. */
  headers?: Record<string, string | string[]>;
  body?: Uint8Array | string | undefined;
  /** From send to the last byte of the answer. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Answers beyond it fail with UPSTREAM_BODY_TOO_LARGE. */
  maxBodyBytes?: number;
};
export type UpstreamAnswer = {
  status: number;
  /** Lower-case names; repeated headers keep their values in order. Content-encoding is already undone. */
  headers: Record<string, string | string[]>;
  body: Buffer;
};
/**
 * @throws CrossfadeError UPSTREAM_UNREACHABLE (never sent, safe to repeat), UPSTREAM_RESET and UPSTREAM_TIMEOUT (outcome
 * unknown), CLIENT_CLOSED (the signal fired).
 */
export interface Transport {
  request(request: UpstreamRequest): Promise<UpstreamAnswer>;
}
export type Transports = Record<'source' | 'target', Transport>;
