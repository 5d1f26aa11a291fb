/** What the executors of one process share: the breaker of each route's follower, names of the present table, the mac. */
import { createHmac } from 'node:crypto';
import type { RouteState } from '../../coordination/ports.ts';
import { systemTimers, type Timers } from '../../coordination/timers.ts';
import type { ClientRequest } from '../client-request.ts';
import { createFailedRefreshes, type FailedRefreshes } from '../failed-refreshes.ts';
import type { IndexNames } from '../rename.ts';
import type { RouteTable } from '../types.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import type { Mac } from './cursor-token.ts';
import { createForwarder, type Forwarder } from './forward.ts';
import { defaultHedgeMs, type ReadDeps, type ReadEvent } from './ports.ts';
import { clientNames } from './side-names.ts';
import type { Caller } from './sticky-key.ts';

/** 96 bits: enough against accidents and idle hands, short in a URL. */
const macChars = 16;

/** The secret is asked for at each use, because it may become known late. */
export const createCursorMac =
  (secret: () => string): Mac =>
  (text) =>
    createHmac('sha256', secret()).update(text).digest('base64url').slice(0, macChars);

/** No cluster keeps a cursor for longer, unless it is told to. */
const maxKeepAliveMs = 86_400_000;

export type Shared = {
  readonly deps: ReadDeps;
  readonly mac: Mac;
  readonly forward: Forwarder;
  readonly timers: Timers;
  readonly hedgeMs: number;
  readonly refreshes: FailedRefreshes;
  readonly date: () => Date;
  readonly emit: (event: ReadEvent) => void;
  /** Connections are counted from 1 in every process; with this in front their keys spread over the buckets. */
  callerOf(request: Pick<ClientRequest, 'principal' | 'connectionId'>): Caller;
  breakerOf(slug: string): Breaker;
  followerIsFilled(state: RouteState): boolean;
  /** Cursors that were opened there may be open still. */
  targetServedLately(): boolean;
  namesOf(table: RouteTable): IndexNames;
};

export const createShared = (deps: ReadDeps): Shared => {
  const mac = createCursorMac(deps.cursorSecret);
  let targetServedMs = Number.NEGATIVE_INFINITY;
  const emit = (event: ReadEvent): void => {
    if (event.kind === 'chosen' && event.side === 'target') targetServedMs = deps.now();
    deps.onEvent?.(event);
  };
  const breakers = new Map<string, Breaker>();
  const names = new WeakMap<RouteTable, IndexNames>();
  const process = deps.random().toString(36);
  return {
    deps,
    mac,
    emit,
    forward: createForwarder(deps, mac),
    timers: deps.timers ?? systemTimers,
    refreshes: deps.refreshes ?? createFailedRefreshes(deps.now),
    hedgeMs: deps.hedgeMs ?? defaultHedgeMs,
    date: deps.date ?? (() => new Date()),
    callerOf: ({ principal, connectionId }) => ({ principal, connection: `${process}/${connectionId}` }),
    breakerOf: (slug) => {
      const known = breakers.get(slug);
      if (known !== undefined) return known;
      const own = createBreaker({ nowMs: deps.now, changed: (state) => emit({ kind: 'breaker', slug, state }) });
      const mayRead = (): boolean => deps.mayReadFollower?.(slug) ?? true;
      const breaker: Breaker = { ...own, admit: () => mayRead() && own.admit() };
      breakers.set(slug, breaker);
      return breaker;
    },
    targetServedLately: () => deps.now() - targetServedMs < maxKeepAliveMs,
    followerIsFilled: (state) => deps.followerIsFilled?.(state) ?? true,
    namesOf: (table) => {
      const known = names.get(table) ?? clientNames(table.states);
      names.set(table, known);
      return known;
    },
  };
};
