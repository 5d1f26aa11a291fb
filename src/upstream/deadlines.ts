/**
 * Timers for requests, used again: nearly every request ends long before its deadline, and making and clearing a timer for
 * each shows in the cost of a small one. A deadline that is given back keeps its timer; the next request only moves it.
 * The timers keep no process alive: a request under way has a connection that does.
 */
export type Expirable = { expired(): void };

/** Beyond this many unused ones a timer is let go. */
const maxSpare = 256;

export class Deadline {
  readonly timeoutMs: number;
  owner: Expirable | undefined;
  readonly timer: NodeJS.Timeout;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
    this.timer = setTimeout(fire, timeoutMs, this);
    this.timer.unref();
  }
}

const fire = (deadline: Deadline): void => deadline.owner?.expired();

export class Deadlines {
  readonly #usualMs: number;
  readonly #spare: Deadline[] = [];

  /** `usualMs`: the time that most requests get; only its timers are kept. */
  constructor(usualMs: number) {
    this.#usualMs = usualMs;
  }

  /** `owner` is told once, `timeoutMs` from now, unless the deadline is ended before. */
  start(owner: Expirable, timeoutMs = this.#usualMs): Deadline {
    const spare = timeoutMs === this.#usualMs ? this.#spare.pop() : undefined;
    const deadline = spare ?? new Deadline(timeoutMs);
    spare?.timer.refresh();
    deadline.owner = owner;
    return deadline;
  }

  /** Harmless when it was ended before: the deadline may be somebody else's by now. */
  end(deadline: Deadline, owner: Expirable): void {
    if (deadline.owner !== owner) return;
    deadline.owner = undefined;
    if (deadline.timeoutMs === this.#usualMs && this.#spare.length < maxSpare) this.#spare.push(deadline);
    else clearTimeout(deadline.timer);
  }
}
