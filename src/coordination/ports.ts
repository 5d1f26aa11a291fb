/**
 * The ports through which proxy, agent and coordination meet. Types only: each port is owned by its user, implemented by
 * another room, and passed in by main. The proxy never imports the agent, nor the agent the proxy.
 */
import type { Heartbeat, Percents, PhaseRecord } from './records.ts';
import type { RouteSpec } from './route-spec.ts';

/** One key's current value. Revisions grow over the whole bucket. */
export type Entry = { key: string; value: string; revision: number };
/**
 * A change seen by a subscriber; `value` undefined = deleted, purged or expired. `expired`: the key ran out or vanished
 * without anybody deleting it. `lost`: a value or deletion that the store has lost since.
 */
export type Change = {
  key: string;
  value: string | undefined;
  revision: number;
  expired?: boolean;
  lost?: true | undefined;
};
/**
 * What a bucket was found to have lost. `end`: where it ended then; `kept`: the last revision of before that it still held.
 * What it holds between the two was written since, before anybody looked, or is older than what was lost: nobody can tell.
 */
export type Loss = { end: number; kept: number };
/** How far a bucket reached when it was last looked at; how often it was found to have lost writes, and what the last time. */
export type Reach = { lastRevision: number; losses: number; lost: Loss };
/** `unknown`: the write timed out and may still be applied; read back before acting on it. */
export type CasResult = { ok: true; revision: number } | { ok: false; reason: 'conflict' | 'unknown' | 'unavailable' };

/**
 * A revisioned key-value bucket. Reads go to the leader of the store, never to a stale replica. While the store is out of
 * reach every operation fails at once, so whoever tries again has to pause in between.
 */
export interface Bucket {
  get(key: string): Promise<Entry | undefined>;
  /** Entries whose key starts with `prefix`, deleted ones left out. */
  list(prefix: string): Promise<Entry[]>;
  /** Unconditional write, as `nats kv put` does it. */
  put(key: string, value: string): Promise<number>;
  /** Compare-and-set; `expected` 0 = the key must not exist (never written, or deleted). */
  update(key: string, value: string, expected: number): Promise<CasResult>;
  delete(key: string, expected?: number): Promise<void>;
  /**
   * Deletes a key that is never used again, and what remembers that it was there. What is written to it meanwhile stays.
   * Absent where a delete leaves nothing behind.
   */
  erase?(key: string): Promise<void>;
  /** As of the last listing. Absent where acknowledged writes are never lost. */
  reach?(): Reach;
  /**
   * Calls back soon after each accepted change (best effort, may miss some: poll `list` as well), and at once for known
   * deletions, which no listing shows. Returns unsubscribe.
   */
  subscribe(listener: (change: Change) => void): () => void;
}

export type Chunk = { index: number; shard: number; fromSeq: number; toSeq: number };
export type ChunkDelivery = {
  chunk: Chunk;
  deliveries: number;
  ack(): Promise<void>;
  retry(delayMs: number): Promise<void>;
  working(): void;
};
/** Chunks of a backfill, shared by any number of processes; unacknowledged ones come again. */
export interface WorkQueue {
  add(chunks: Chunk[]): Promise<void>;
  /** Next chunk, or undefined when none came within `waitMs`. Fails at once while the store is out of reach. */
  next(waitMs: number): Promise<ChunkDelivery | undefined>;
  /** Chunks not yet acknowledged; undefined when this queue never held what had been added by `mark`: that is lost. */
  remaining(mark?: number): Promise<number | undefined>;
  /** What has been added by now, for `purge` and `remaining`. */
  mark(): Promise<number>;
  /** Empties the queue of what was added before the mark: what somebody else has added since stays. */
  purge(mark: number): Promise<void>;
}

export type SampleKind = { slug: string; severity: string; shape: string };
/** Redacted examples of mismatches of all members, bounded; for people, never for decisions. */
export interface SampleStream {
  /** @throws CrossfadeError STORE_UNAVAILABLE, STORE_OUTCOME_UNKNOWN */
  add(kind: SampleKind, text: string): Promise<void>;
  /** Newest first. @throws CrossfadeError STORE_UNAVAILABLE */
  list(kind: Partial<SampleKind>): Promise<string[]>;
}

export type StoreStatus = {
  connected: boolean;
  /** A server is there, and is looked at before it is used: what it holds will be known soon. */
  beingLookedAt?: boolean;
  kind: 'nats' | 'file';
  detail: string;
  /** Known to whoever may read the store, and shown to nobody else: see shownStatus. */
  incarnation: string | undefined;
  alarm: string | undefined;
};
export interface Store {
  readonly config: Bucket;
  readonly live: Bucket;
  workQueue(slug: string): WorkQueue;
  /** Absent where one process is all there is. */
  readonly samples?: SampleStream;
  status(): StoreStatus;
  onStatus(listener: (status: StoreStatus) => void): () => void;
  close(): Promise<void>;
}

/** What one member knows of one route: the last good value of each key. An immutable value, replaced as a whole. */
export type RouteState = {
  readonly slug: string;
  readonly spec: RouteSpec;
  readonly specRevision: number;
  readonly phase: PhaseRecord;
  readonly phaseRevision: number;
  /** As written by people and not voided by `percentFloor`; `effectivePercents` applies phase and stop. */
  readonly percent: Percents;
  readonly stop: boolean;
  readonly rate: number | 'pause' | undefined;
  /** Key and reason of each value that was refused; the last good one stays in force. */
  readonly errors: readonly { key: string; message: string }[];
};
export type RouteStates = ReadonlyMap<string, RouteState>;

/** Who may begin a write now. Closed while the route is held; a ticket keeps the member from reporting `drained`. */
export interface Admission {
  /**
   * `signal` takes a held request out of the queue when its client leaves.
   * @throws CrossfadeError HOLD_TIMEOUT, HOLD_QUEUE_FULL, NOT_READY (no such route was applied), CLIENT_CLOSED
   */
  admit(slug: string, kind: 'write' | 'by_query', signal?: AbortSignal): Promise<Ticket>;
  /** Resolves when the phase record is newer than `revision`, or after `timeoutMs` (false). Used after a fenced write. */
  awaitNewer(slug: string, revision: number, timeoutMs: number): Promise<boolean>;
  /** Not a request, and still to end before this member reports drained what began under the state. */
  drainAfter(state: RouteState, work: Promise<unknown>): void;
}
/** `state` is the route as it was when admitted; the whole request runs under it. `done` is idempotent. */
export type Ticket = { readonly state: RouteState; done(): void };

/** Identity of a document on one index pair of a route (`ordinal` = position in `spec.indices`). */
export type DocKey = { slug: string; ordinal: number; id: string; routing: string | undefined };
/** One stamped write to the follower. `source` is raw JSON on one line, exactly as the authority stored it. */
export type Copy = DocKey & {
  epoch: number;
  reign: number;
  stamp: bigint;
  /** Follower reads are on and the client asked for a refresh: the copy asks for one too. */
  refresh?: 'true' | 'wait_for' | undefined;
} & ({ op: 'index'; source: Uint8Array } | { op: 'delete' });
/** A write of a document that cannot be offered as a copy. `stamp` undefined = it has none that a copy could carry. */
export type NotCopied = DocKey & { reign: number; stamp: bigint | undefined };
/** superseded: the follower already had this stamp or a newer one. left_to_tail: not copied directly (pct.write, budget). */
export type CopyOutcome = 'applied' | 'superseded' | 'quarantined' | 'left_to_tail' | 'fenced';

/** The follower's side of a write, as the proxy sees it. No method throws or delays the client. */
export interface Copies {
  /** Resolves once the copy's fate is known; retries run inside. */
  offer(copy: Copy, state: RouteState): Promise<CopyOutcome>;
  /** A copy of this document is queued, under way or lost: its realtime GET belongs to the authority. */
  isPending(key: DocKey): boolean;
  /** An authority write whose answer never came, so no copy could be made. */
  unknownOutcome(slug: string, mayDelete: boolean): void;
  /** The follower has been seen with a write of the authority, or with a later one of its document. */
  arrived(slug: string, write: { reign: number; ordinal: number }): void;
  /** The authority applied writes that no copy carries and that the tail will find, as those of a by-query. */
  leftToTail(slug: string, left: { reign: number; ordinal: number; writes: number }): void;
  /** The follower shows this document as it was, until a copy as new as that write arrives. */
  notCopied(write: NotCopied): void;
  /** Deletes happened that no copy carries. */
  sweepNeeded(slug: string, reason: SweepReason): void;
}
export type SweepReason = 'by_query' | 'dropped_delete' | 'unknown_delete' | 'unparsable_answer' | 'pass_through';

/** The part of a heartbeat's route line that the copier knows. */
export type CopyReport = Pick<
  Heartbeat['routes'][string],
  | 'pendingCopies'
  | 'pendingBytes'
  | 'oldestPendingMs'
  | 'dropped'
  | 'quarantined'
  | 'unknownOutcomes'
  | 'sweepNeeded'
  | 'ledger'
  | 'left'
  | 'reign'
>;
