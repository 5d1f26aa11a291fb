/**
 * The two sides of a request on its way: what a pool and its connections need to know of it, and what they tell it. The
 * order is onSent, onHead, onData*, onEnd, or onCut at any time after onSent; or onUnsent alone.
 */
import type { PulledBody } from '../pulled-body.ts';

export interface Asker {
  readonly method: string;
  /** As `requestHead` makes it. */
  readonly head: string;
  readonly body: Buffer | PulledBody | null;
  /** Of a streamed body, when it is known. */
  readonly bodyLength: number | undefined;
  /** Its bytes go out now: from here on the cluster may have the request. */
  onSent(connection: Carrier): void;
  onHead(status: number, reason: string, headers: readonly string[]): void;
  /** false = nothing more until the carrier's `resume`. */
  onData(chunk: Buffer): boolean;
  onEnd(): void;
  /** The answer broke off or cannot be understood. */
  onCut(error: unknown): void;
  /** Nothing of it was sent. */
  onUnsent(error: unknown): void;
}

/** The connection as its request sees it. */
export interface Carrier {
  /** Answers that came over it before. */
  readonly served: number;
  resume(): void;
  /** Closes it, so that the cluster gives up its work; the asker hears nothing more. */
  abandon(): void;
}
