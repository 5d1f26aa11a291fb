/** What the executors of writes need from the rest of the process; types only. */
import type { Admission, Copies, DocKey, RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { Timers } from '../../coordination/timers.ts';
import type { Logger } from '../../log.ts';
import type { Transports } from '../../upstream/types.ts';
import type { ClientRequest } from '../client-request.ts';
import type { FailedRefreshes } from '../failed-refreshes.ts';
import type { RouteTable } from '../types.ts';

/** The part of a client's request that writes use; every body is read whole before anything is admitted. */
export type WriteClient = Pick<
  ClientRequest,
  'head' | 'headers' | 'readBody' | 'gone' | 'aborted' | 'trace' | 'respond'
>;

/** Told once each, for metrics and logs; counts and reasons only, never documents. */
export type WriteEvent =
  /** A write met the fence of its epoch; later it is sent again, or given up when no newer phase came in time. */
  | { kind: 'fenced'; slug: string; epoch: number }
  | { kind: 'fence_passed' | 'fence_timeout'; slug: string }
  /** Copies did not settle within `copies.ackTimeoutMs`; the client was answered without them. */
  | { kind: 'ack_timeout'; slug: string }
  /** Documents whose post-image was read from the authority, and how many of them could not be. */
  | { kind: 'read_back'; slug: string; documents: number; failed: number }
  | { kind: 'unknown_outcome'; slug: string; mayDelete: boolean }
  /** The stamp layout of the route has no room for this write: no copy can be made. */
  | { kind: 'stamp_overflow'; slug: string }
  /** A write was refused because the route declares the other kind of versions. */
  | { kind: 'version_mode_mismatch'; slug: string }
  /** A default or final pipeline appeared or went. */
  | { kind: 'pipeline_changed'; slug: string; ordinal: number; pipeline: boolean };

export type WriteDeps = {
  readonly transports: Transports;
  readonly admission: Admission;
  readonly copies: Copies;
  readonly table: () => RouteTable;
  readonly limits: { readonly maxBodyBytes: number };
  readonly logger: Pick<Logger, 'warn' | 'debug'>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Wall clock, for date-math names only. */
  readonly date?: () => Date;
  readonly timers?: Timers;
  readonly onEvent?: (event: WriteEvent) => void;
  /** The authority refused a write because the document is not as the client has read it, perhaps on the follower. */
  readonly onConflict?: (key: DocKey) => void;
  /** Both sides are one cluster, so one request may name indices of both. */
  readonly sameCluster?: boolean;
  /**
   * Makes these documents on the follower what they are on the authority, and tells how many of them that does not have;
   * absent = a sweep does it later.
   */
  readonly repairIds?: (state: RouteState, keys: readonly DocKey[], overwrite?: 'same_stamp') => Promise<number>;
  /** Resolves when the tail has brought over what the authority holds now, or the signal fires; absent = nobody waits. */
  readonly tailPassed?: (state: RouteState, signal: AbortSignal) => Promise<void>;
  /** What was deleted by query cannot be listed: the follower shows it until the sweep that was asked for has passed. */
  readonly onUnlistedDeletes?: (state: RouteState) => void;
  /** Told what became of refreshes on followers. */
  readonly refreshes?: Pick<FailedRefreshes, 'begin'>;
  /** Names the side in a task id that the client will ask for later. */
  readonly wrapTaskId?: (task: string, origin: { side: Side; reign: number }) => string;
};
