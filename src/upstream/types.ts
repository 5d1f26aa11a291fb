/**
 * The one way to speak HTTP to a cluster: a buffered request for everything that must look at the answer. Streaming
 * pass-through lives beside it in this room and uses the same pools, credentials and TLS. There is no second HTTP client.
 * The simulation implements this port with a deterministic fake of the storage.
 */
import type { CrossfadeError } from '../errors.ts';

/** A large body that is put together while it is sent, so that it never lies in memory twice. */
export type BodyPieces = { readonly byteLength: number; pieces(): Iterable<Uint8Array> };
export type UpstreamRequest = {
  method: string;
  /** Raw path and query as they go on the wire, starting with `/`. */
  path: string;
  /** Lower-case names. Credentials are added by the transport. */
  headers?: Record<string, string | string[]>;
  body?: Uint8Array | string | BodyPieces | undefined;
  /** From send to the last byte of the answer. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Answers beyond it fail with UPSTREAM_BODY_TOO_LARGE. */
  maxBodyBytes?: number;
  /** As in StreamRequest; reads that are not GET say so here. */
  safeToRepeat?: boolean | undefined;
  /**
   * Asked by Crossfade for its own sake, though a client gave the occasion: with its own credentials where the cluster has
   * some configured, since the client's may show less than there is. Those of the client in `headers` only stand in.
   */
  ownAccount?: boolean | undefined;
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

/** A request of the data plane whose answer passes through: header pairs and bytes are sent as they are. */
export type StreamRequest = {
  method: string;
  /** Raw path and query as they go on the wire, starting with `/`. */
  path: string;
  /** name, value, name, value: end-to-end headers only, without Host and Content-Length. Repeated names stay repeated. */
  headers: readonly string[];
  /** Chunks are pulled one by one, so the cluster's pace is the client's pace. */
  body: Buffer | AsyncIterable<Uint8Array> | null;
  /** Declared length of a streamed body; undefined = sent in chunks. */
  bodyLength?: number | undefined;
  /** From now to the last byte of the answer; default requestTimeoutMs of the cluster. */
  timeoutMs?: number | undefined;
  /**
   * A second sending cannot change the answer or the cluster, so the request may be sent once more when a kept-alive
   * connection turns out to be dead. Never true for writes and for requests that move a cursor.
   */
  safeToRepeat?: boolean | undefined;
  /** As in UpstreamRequest. */
  ownAccount?: boolean | undefined;
};
/** Called in the order onHead, onData*, onEnd; or onError at any time, after which nothing more is called. */
export interface AnswerSink {
  /** name, value, name, value as received, hop-by-hop headers included. */
  onHead(status: number, reason: string, headers: readonly string[]): void;
  /** false = stop until `resume`. */
  onData(chunk: Buffer): boolean;
  onEnd(): void;
  onError(error: CrossfadeError): void;
}
export interface UpstreamStream {
  resume(): void;
  /** Gives the request up: its connection is destroyed, so that the cluster cancels the work; the sink hears nothing more. */
  abort(): void;
}
/** One cluster as seen by one use (client traffic, or background work): its own connections, credentials and TLS. */
export interface Cluster {
  readonly transport: Transport;
  stream(request: StreamRequest, sink: AnswerSink): UpstreamStream;
  /** Lets what is under way finish for `graceMs`, then destroys it. */
  close(graceMs?: number): Promise<void>;
}
