/**
 * How reads hand samples to the shadow runner. A ticket is drawn before the request is sent, so that the answer of a
 * sampled read, and of no other, is kept; whatever becomes of it, the ticket is settled exactly once.
 * Invariant: sampled = compared + skipped{reason} + tickets not yet settled, at any moment.
 */
import type {
  DiscardReason,
  SkipReason as ComparisonSkipReason,
  Observation,
  QueryShape,
} from '../../compare/types.ts';
import type { RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { Family, Operation, RequestHead } from '../types.ts';

/** Why a sample was not compared; the values of the metric's `reason` label. */
export type ShadowSkip =
  | 'queue_full'
  | 'too_large'
  | 'breaker_open'
  | 'stopped'
  | 'not_comparable'
  | 'client_failed'
  | DiscardReason
  | ComparisonSkipReason
  | 'other';

export type ShadowCandidate = {
  readonly state: RouteState;
  readonly operation: Operation;
  readonly head: RequestHead;
};

/** One read on the wire of one side. */
export type SideRequest = { readonly path: string; readonly query: string; readonly body: Buffer | undefined };

export type ServedRead = {
  readonly side: Side;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** As the cluster sent it, its own index names included; content-encoding undone. */
  readonly body: Buffer;
  /** What the side took; not what stands in front of it or between it and the client. */
  readonly ms: number;
  /** Wall clock when the read was sent. */
  readonly atMs: number;
  /** The client's body, content-encoding undone. */
  readonly requestBody: Buffer | undefined;
  /** For the sides that may see it: passClientCredentials. */
  readonly authorization: string | undefined;
  /** The same read as that side understands it; undefined when it cannot be said there. */
  readonly requestFor: (side: Side) => SideRequest | undefined;
};

export interface ShadowTicket {
  /** Longer answers need not be kept: the sample is skipped as `too_large`. */
  readonly maxBodyBytes: number;
  offer(served: ServedRead): void;
  skip(reason: ShadowSkip): void;
}

export interface ShadowRunner {
  /** Draws; undefined = not sampled, or sampled and skipped at once. */
  draw(candidate: ShadowCandidate): ShadowTicket | undefined;
}

/** A sample that only documents under way explain: it says nothing, but that its kind of query was not judged. */
export type UnstableSample = Pick<ShadowReport, 'slug' | 'subject' | 'shape' | 'atMs'>;

/** One comparison for the counters, the verdict and the sample store. */
export type ShadowReport = {
  readonly slug: string;
  /** What the evidence was about when the sample was drawn, see evidence-subject.ts. */
  readonly subject: string;
  readonly family: Family;
  readonly shape: QueryShape;
  /** Wall clock when the read was sent. */
  readonly atMs: number;
  readonly authority: Side;
  readonly observation: Observation;
  /** The authority against itself; only for the share of samples chosen for it. */
  readonly baseline: Observation | undefined;
  /** The first difference was gone when both sides were asked again after a refresh. */
  readonly settled: boolean;
  readonly authorityMs: number;
  readonly otherMs: number;
  /** As the client sent it. */
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly query: string;
    readonly body: Buffer | undefined;
    /** Of a document, as the path was understood. */
    readonly id?: string | undefined;
  };
  readonly answers: Readonly<Record<Side, ShadowAnswer>>;
  /**
   * Asks both sides the same again, without the client's credentials. Holds the request, not the answers.
   * @throws CrossfadeError REPLAY_REFUSED when the route is in another phase by now
   */
  readonly repeat: () => Promise<ShadowReport | { readonly skipped: ShadowSkip }>;
};
export type ShadowAnswer = { readonly status: number; readonly body: Buffer; readonly failure?: string };
