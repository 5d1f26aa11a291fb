/**
 * The connections to one URL: the last used is used first, so that those not needed grow old and are closed; requests
 * beyond the greatest number of connections wait in their order. A used connection is written to at the end of the turn of
 * the event loop, when all that had come by then has been read: a server that has closed it, or said something nobody
 * asked for, or left an earlier request unread, is noticed before a request is risked on it.
 */
import type { Asker } from './asker.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import type { Opener } from './open-socket.ts';
import { WireError } from './wire-error.ts';

export type PoolOptions = {
  opener: Opener;
  maxConnections: number;
  connectTimeoutMs: number;
  now: () => number;
};

/** Well below what servers and load balancers keep (60 s and more), so that we are the ones who close. */
const maxIdleMs = 25_000;
const sweepMs = 1000;

const flush = (pool: Pool): void => pool.flush();
const sweep = (pool: Pool): void => pool.sweep();

type Due = { connection: Connection; asker: Asker };

export class Pool implements ConnectionOwner {
  readonly #options: PoolOptions;
  readonly #open = new Set<Connection>();
  readonly #idle: Connection[] = [];
  readonly #waiting = new Set<Asker>();
  #due: Due[] = [];
  #isFlushSet = false;
  #connecting = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #isClosed = false;
  #closed: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  send(asker: Asker): void {
    if (this.#isClosed) asker.onUnsent(new WireError('closed', 'no more requests are taken'));
    else this.#place(asker);
  }

  /** Not over a connection that rests: the request was sent over one that turned out to be dead. */
  sendAnew(asker: Asker): void {
    if (this.#isClosed) return asker.onUnsent(new WireError('closed', 'no more requests are taken'));
    if (this.#open.size >= this.#options.maxConnections) this.#idle.shift()?.close(undefined);
    this.#waiting.add(asker);
    this.#openMore();
  }

  /** For a request that was not sent: it leaves, and a connection meant for it goes to others. */
  cancel(asker: Asker): void {
    if (this.#waiting.delete(asker)) return;
    const at = this.#due.findIndex((due) => due.asker === asker);
    const [due] = at < 0 ? [] : this.#due.splice(at, 1);
    if (due !== undefined) this.onFree(due.connection);
  }

  /** Takes no more requests; resolves when those it has are answered. */
  close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.close(undefined);
    return new Promise((resolve) => {
      this.#closed = resolve;
      this.#settle();
    });
  }

  destroy(): void {
    this.#isClosed = true;
    const unsent = [...this.#waiting, ...this.#due.map(({ asker }) => asker)];
    this.#waiting.clear();
    this.#due = [];
    const error = new WireError('closed', 'the connections are closed');
    for (const connection of this.#open) connection.close(error);
    for (const asker of unsent) asker.onUnsent(error);
  }

  onReady(connection: Connection): void {
    this.#connecting--;
    const asker = this.#next();
    if (asker === undefined) this.onFree(connection);
    else connection.send(asker);
  }

  onFailed(connection: Connection, error: unknown): void {
    this.#connecting--;
    this.#open.delete(connection);
    // One that another connection is being made for, or that was answered by another, does not fail.
    const asker = this.#waiting.size > this.#connecting ? this.#next() : undefined;
    this.#openMore();
    this.#settle();
    asker?.onUnsent(error);
  }

  onFree(connection: Connection): void {
    const asker = this.#next();
    if (asker !== undefined) this.#schedule(connection, asker);
    else if (this.#isClosed) connection.close(undefined);
    else this.#rest(connection);
  }

  onGone(connection: Connection): void {
    this.#open.delete(connection);
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const due = this.#due.findIndex((one) => one.connection === connection);
    const [lost] = due < 0 ? [] : this.#due.splice(due, 1);
    if (lost !== undefined) this.#place(lost.asker);
    this.#openMore();
    this.#settle();
  }

  flush(): void {
    this.#isFlushSet = false;
    // Not those that come while it runs: theirs is the next turn.
    for (let count = this.#due.length; count > 0; count--) {
      const due = this.#due.shift();
      if (due !== undefined) this.#sendDue(due);
    }
    if (this.#due.length > 0) this.#setFlush();
  }

  sweep(): void {
    const nowMs = this.#options.now();
    for (const connection of this.#idle.slice()) {
      if (connection.idleUntilMs <= nowMs || !connection.isClear) connection.close(undefined);
      else connection.letGo();
    }
    if (this.#open.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #place(asker: Asker): void {
    const connection = this.#takeIdle();
    if (connection !== undefined) this.#schedule(connection, asker);
    else {
      this.#waiting.add(asker);
      this.#openMore();
    }
  }

  #takeIdle(): Connection | undefined {
    if (this.#idle.length === 0) return undefined;
    const nowMs = this.#options.now();
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.idleUntilMs > nowMs) return connection;
      connection.close(undefined);
    }
  }

  #schedule(connection: Connection, asker: Asker): void {
    this.#due.push({ connection, asker });
    this.#setFlush();
  }

  #sendDue({ connection, asker }: Due): void {
    if (connection.isClear) return connection.send(asker);
    connection.close(undefined);
    this.#place(asker);
  }

  #setFlush(): void {
    if (!this.#isFlushSet) setImmediate(flush, this);
    this.#isFlushSet = true;
  }

  #rest(connection: Connection): void {
    const { keepAliveSeconds } = connection;
    // A second for the way there.
    const idleMs = keepAliveSeconds === undefined ? maxIdleMs : Math.min(maxIdleMs, (keepAliveSeconds - 1) * 1000);
    if (idleMs <= 0) return connection.close(undefined);
    connection.idleUntilMs = this.#options.now() + idleMs;
    this.#idle.push(connection);
  }

  #next(): Asker | undefined {
    for (const asker of this.#waiting) {
      this.#waiting.delete(asker);
      return asker;
    }
    return undefined;
  }

  #openMore(): void {
    const { opener, connectTimeoutMs, maxConnections } = this.#options;
    while (this.#connecting < this.#waiting.size && this.#open.size < maxConnections) {
      this.#connecting++;
      this.#open.add(new Connection(this, opener, connectTimeoutMs));
      this.#sweeper ??= setInterval(sweep, sweepMs, this).unref();
    }
  }

  #settle(): void {
    if (this.#isClosed && this.#open.size === 0 && this.#waiting.size === 0) this.#closed?.();
  }
}
