/**
 * Virtual time: a queue of events in the order of their moments, run one by one; between two of them every promise that
 * can settle does. Everything that takes time in a simulated world (timers, requests, answers, faults) is an event here,
 * so a seed fixes the whole run. An event belongs to a process or to nobody: a dead process's events are dropped, those
 * of a stopped one wait until it goes on.
 */
import type { Random } from './random.ts';

/** What a process is to the scheduler. */
export type Owner = { readonly name: string; alive: boolean; stoppedUntil: number };
type Event = {
  at: number;
  order: number;
  owner: Owner | undefined;
  label: string;
  run: () => void;
  cancelled: boolean;
  /** Settles no promise, so nothing has to happen behind it before the next event. */
  quiet: boolean;
};

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Binary heap: there are hundreds of thousands of events in a run. */
class EventQueue {
  readonly #heap: Event[] = [];

  push(event: Event): void {
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[i] = heap[parent] as Event;
      i = parent;
    }
    heap[i] = event;
  }

  pop(): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[i] = heap[child] as Event;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

/** Ticks run when no promise is left that can settle; they are cheaper than a turn of the event loop. */
const drain = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
/** Now and then everybody else in this process gets a turn, such as the reporter of the test run. */
const eventsPerTurn = 2048;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class Scheduler {
  nowMs = 0;
  events = 0;
  /** A digest of all that happened, in order: equal digests mean equal runs. */
  digest = 0x811c9dc5;
  /** By then all that was on its way has arrived. */
  lastArrivalMs = 0;
  readonly random: Random;
  readonly #queue = new EventQueue();
  readonly #lines: string[] = [];
  readonly #keepLog: boolean;
  #order = 0;

  constructor(random: Random, options: { keepLog?: boolean } = {}) {
    this.random = random;
    this.#keepLog = options.keepLog ?? false;
  }

  /** Runs once after `delayMs`; returns a cancel function. */
  after(delayMs: number, label: string, run: () => void, owner?: Owner): () => void {
    const event: Event = {
      at: this.nowMs + Math.max(0, delayMs),
      order: ++this.#order,
      owner,
      label,
      run,
      cancelled: false,
      quiet: false,
    };
    this.#queue.push(event);
    return () => {
      event.cancelled = true;
    };
  }

  /** The same for what only moves things about in the world and settles no promise: half of all events, and cheaper. */
  quietly(delayMs: number, run: () => void): void {
    const at = this.nowMs + Math.max(0, delayMs);
    this.arrives(at);
    this.#queue.push({
      at,
      order: ++this.#order,
      owner: undefined,
      label: '',
      run,
      cancelled: false,
      quiet: true,
    });
  }

  /** Something is on its way through the world until then. */
  arrives(atMs: number): void {
    if (atMs > this.lastArrivalMs) this.lastArrivalMs = atMs;
  }

  /** Empty unless the run keeps its log: a seed can be run again. */
  log(): readonly string[] {
    return this.#lines;
  }

  note(line: string): void {
    for (let i = 0; i < line.length; i++) this.digest = Math.imul(this.digest ^ line.charCodeAt(i), 16777619);
    if (this.#keepLog) this.#lines.push(`${this.nowMs.toFixed(2)} ${line}`);
  }

  /** Until `done` says so, nothing is left, or virtual time reaches `untilMs`. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    while (!done()) {
      const event = this.#queue.pop();
      if (event === undefined) return;
      if (event.cancelled || event.owner?.alive === false) continue;
      if (event.at > untilMs) {
        this.#queue.push(event);
        this.nowMs = untilMs;
        return;
      }
      if (event.owner !== undefined && event.owner.stoppedUntil > event.at) {
        event.at = event.owner.stoppedUntil;
        this.#queue.push(event);
        continue;
      }
      this.#fire(event);
      if (!event.quiet) await (this.events % eventsPerTurn === 0 ? turn() : drain());
    }
  }

  #fire(event: Event): void {
    this.nowMs = Math.max(this.nowMs, event.at);
    this.events++;
    this.digest = Math.imul(this.digest ^ Math.round(event.at * 1000), 16777619);
    if (event.label !== '') this.note(event.owner === undefined ? event.label : `${event.owner.name}: ${event.label}`);
    event.run();
  }
}
