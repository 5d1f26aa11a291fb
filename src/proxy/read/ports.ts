/** What the executors of reads need from the rest of the process, and what they tell it; types only. */
import type { Copies, RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { Timers } from '../../coordination/timers.ts';
import type { Logger } from '../../log.ts';
import type { Transports, UpstreamAnswer } from '../../upstream/types.ts';
import type { ClientRequest } from '../client-request.ts';
import type { FailedRefreshes } from '../failed-refreshes.ts';
import type { ShadowRunner } from '../shadow/ports.ts';
import type { Family, Plan, RouteTable } from '../types.ts';
import type { RequestBody } from '../write/request-body.ts';
import type { BreakerState } from './breaker.ts';
import type { ChoiceReason } from './choose-side.ts';
import type { FallbackCause } from './judge-follower.ts';
import type { MultiBody } from './multi-body.ts';

/** An answer as it passed to the client, for those who want to look at it afterwards. */
export type SeenAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Content-encoding undone. */
  readonly body: Buffer;
  /** From sending the request to the last byte of the answer: what this side took, and nothing else. */
  readonly ms: number;
};

/** The same in one piece, before anything of it was passed on. */
export type AskedAnswer = UpstreamAnswer & Pick<SeenAnswer, 'ms'>;

export type PassOptions = {
  readonly side: Side;
  /** Raw path and query for the cluster, when they differ from the client's. */
  readonly target?: string | undefined;
  /** Added to the answer's own headers. */
  readonly answerHeaders?: Readonly<Record<string, string>> | undefined;
  /** The request may be sent twice without harm; default: what method and path tell. */
  readonly safeToRepeat?: boolean | undefined;
  /**
   * Keeps a copy of the answer while it streams, up to `maxBytes`; told once, after the client's last byte. Undefined =
   * longer than that, cut short, or the client left.
   */
  readonly tee?: { readonly maxBytes: number; done(answer: SeenAnswer | undefined, why: 'too_large' | 'failed'): void };
};

/** Streams a request to one side and its answer back, bytes untouched. A body already read is sent from memory. */
export interface PassThrough {
  pass(request: ClientRequest, options: PassOptions): Promise<void>;
}

/** Told once each, for metrics and logs; names of closed sets only. */
export type ReadEvent =
  | { kind: 'chosen'; slug: string; family: Family; side: Side; reason: ChoiceReason }
  /** The follower was asked and the authority had to answer. */
  | { kind: 'fallback'; slug: string; family: Family; cause: FallbackCause }
  | { kind: 'breaker'; slug: string; state: BreakerState['kind'] }
  /** A refresh of the follower failed; the client was answered by the authority. */
  | { kind: 'refresh_failed'; slug: string };

export type ReadDeps = {
  /** The application's own connections. */
  readonly transports: Transports;
  readonly streams: PassThrough;
  readonly table: () => RouteTable;
  readonly copies: Pick<Copies, 'isPending'>;
  readonly shadow: ShadowRunner;
  /** Shared with whoever else refreshes followers; default its own. */
  readonly refreshes?: FailedRefreshes;
  /** False while comparisons show that the follower fails; default always true. */
  readonly mayReadFollower?: (slug: string) => boolean;
  /** False while the follower is not known to be filled; default always true. */
  readonly followerIsFilled?: (state: RouteState) => boolean;
  readonly limits: { readonly maxBodyBytes: number };
  readonly logger: Pick<Logger, 'debug' | 'warn'>;
  /** In [0, 1). */
  readonly random: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Wall clock, for date-math names only. */
  readonly date?: () => Date;
  readonly timers?: Timers;
  readonly onEvent?: (event: ReadEvent) => void;
  /** Key of cursor tokens, the same on all replicas; asked for at each use, because it may become known late. */
  readonly cursorSecret: () => string;
  /** False switches `x-crossfade-side` off for the whole process. */
  readonly sideHeader: boolean;
  /** Both sides are one cluster, so an index without a route can be read from either. */
  readonly sameCluster?: boolean;
  /** How long the follower may take before the authority is asked as well. */
  readonly hedgeMs?: number;
};

export const defaultHedgeMs = 2000;

export type MultiPlan = Extract<Plan, { kind: 'multi_read' }>;
/** A multi request with its body taken apart. */
export type MultiReading = {
  readonly request: ClientRequest;
  readonly plan: MultiPlan;
  readonly table: RouteTable;
  readonly plain: RequestBody;
  readonly body: MultiBody;
  readonly sameCluster: boolean;
};
