/** What a verification needs from outside. */
import type { Side } from '../coordination/records.ts';
import type { ClusterControl } from './cluster.ts';
import type { PageWork } from './copy-page.ts';
import type { Direction } from './direction.ts';
import type { PageLimits } from './page-size.ts';
import type { Runtime } from './runtime.ts';
import type { TransformFunction } from './transform.ts';

export type VerifyIo = {
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  direction: Direction;
  transform: TransformFunction | undefined;
  /** The transform back, when it may drop documents: a follower's extra document that it drops is in order. */
  mayDrop?: TransformFunction | undefined;
  limits: PageLimits;
  signal?: AbortSignal | undefined;
  /** How often, and after how long times the round, a suspected difference is looked at again. */
  recheck?: { rounds: number; delayMs: number };
  /** Pages per step; default 20. */
  maxPages?: number;
  /** After each page; may wait, to throttle. */
  onPage?: (page: PageWork) => Promise<void> | void;
};
