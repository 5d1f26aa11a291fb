/**
 * The way of one process to one simulated cluster, as the Transport port. A request is resolved when it arrives, applied
 * a little or much later, replicated and answered; each step is an event, so requests of all processes interleave there.
 * The network loses requests and answers, delivers some after their sender was told of a reset, and copies twice; the
 * cluster is busy, slow or down. What is applied although nobody heard of it is what the product must survive. One thing it
 * does not claim to survive, see docs/roadmap.md: a copy that was answered and is delivered once more in another epoch.
 */
import { CrossfadeError } from '../../src/errors.ts';
import type { Transport, UpstreamAnswer, UpstreamRequest } from '../../src/upstream/types.ts';
import type { FakeCluster } from './fake-cluster.ts';
import { type Faults, scaled } from './faults.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { Applied } from './storage.ts';

export type SimCluster = {
  readonly name: 'source' | 'target';
  readonly fake: FakeCluster;
  down: boolean;
  /** Writes applied by the request that is being run. */
  applied: Applied[];
  /** `index/id/seq/term` of writes that a failed primary took with it. */
  readonly lost: Set<string>;
};
export type NetworkOptions = {
  scheduler: Scheduler;
  faults: () => Faults;
  cluster: SimCluster;
  owner: Owner;
  replicateMs?: number | undefined;
  /** Of the phase record that stands in the store. */
  epoch: () => number;
  /** What a cluster makes of a request when it arrives; undefined: it goes astray, and its sender is told of a reset. */
  arrival?: ((request: UpstreamRequest) => UpstreamRequest | undefined) | undefined;
  /** Told before a request is run: whose it is. */
  onRun?: (request: UpstreamRequest, owner: Owner) => void;
};

const defaultTimeoutMs = 30_000;
export const appliedKey = ({ index, id, seq, term }: { index: string; id: string; seq: number; term: number }) =>
  `${index}/${id}/${seq}/${term}`;

const isCopy = ({ body }: UpstreamRequest): boolean =>
  body !== undefined && typeof body !== 'string' && !('pieces' in body) && Buffer.from(body).includes('"external"');

const busyAnswer = (status: number): UpstreamAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(
    JSON.stringify({
      error: {
        type: status === 429 ? 'rejected_execution_exception' : 'unavailable_shards_exception',
        reason: 'simulated',
      },
      status,
    }),
  ),
});

export const simTransport = (options: NetworkOptions): Transport => ({
  request: (request) => new Promise((resolve, reject) => new Exchange(options, request, { resolve, reject }).begin()),
});

type Caller = { resolve: (answer: UpstreamAnswer) => void; reject: (error: CrossfadeError) => void };

class Exchange {
  readonly #options: NetworkOptions;
  readonly #request: UpstreamRequest;
  readonly #caller: Caller;
  #ended = false;
  #answered = false;
  readonly #isWrite: boolean;
  #cancelTimeout = (): void => undefined;
  readonly #onAbort = (): void => this.#fail('CLIENT_CLOSED');

  constructor(options: NetworkOptions, request: UpstreamRequest, caller: Caller) {
    this.#options = options;
    this.#request = request;
    this.#caller = caller;
    this.#isWrite = /_doc|_create|_update|_bulk/.test(request.path);
  }

  /** What a control call suffers is repeated a second later; the writes are what a run is about. */
  #rates(): Faults {
    const faults = this.#options.faults();
    return this.#isWrite ? faults : scaled(faults, 0.1);
  }

  begin(): void {
    const { scheduler, owner } = this.#options;
    const { random } = scheduler;
    if (!owner.alive) return;
    const { signal, timeoutMs = defaultTimeoutMs } = this.#request;
    if (signal?.aborted === true) {
      this.#fail('CLIENT_CLOSED');
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#cancelTimeout = scheduler.after(timeoutMs, '', () => this.#fail('UPSTREAM_TIMEOUT'), owner);
    const rates = this.#rates();
    if (random.chance(rates.loseRequest)) {
      this.#loseSoon();
      return;
    }
    const late = random.chance(rates.late);
    if (late) this.#later(random.between(1, 20), () => this.#fail('UPSTREAM_RESET'));
    const travelMs = late ? random.between(20, 8_000) : random.between(0.1, 2);
    scheduler.quietly(travelMs, () => this.#arrive());
    if (isCopy(this.#request) && random.chance(rates.duplicate)) this.#twice(travelMs + random.between(0, 3_000));
  }

  #twice(travelMs: number): void {
    const { scheduler, epoch } = this.#options;
    const sentIn = epoch();
    scheduler.quietly(travelMs, () => {
      if (!this.#answered || epoch() === sentIn) this.#arrive();
    });
  }

  /** Something that happens to the sender, as long as it lives. */
  #later(delayMs: number, run: () => void): void {
    this.#options.scheduler.after(delayMs, '', run, this.#options.owner);
  }

  #loseSoon(): void {
    const { random } = this.#options.scheduler;
    // Most breaks are noticed; some leave the sender waiting until its own time is up.
    if (random.chance(0.9))
      this.#later(random.between(1, 100), () => this.#fail(random.chance(0.5) ? 'UPSTREAM_RESET' : 'UPSTREAM_TIMEOUT'));
  }

  #arrive(): void {
    const { scheduler, cluster } = this.#options;
    const { random } = scheduler;
    if (cluster.down) this.#later(random.between(0.1, 5), () => this.#fail('UPSTREAM_UNREACHABLE'));
    else if (random.chance(this.#rates().busy)) this.#answer(busyAnswer(random.chance(0.5) ? 429 : 503));
    else this.#take();
  }

  #take(): void {
    const { cluster } = this.#options;
    const { arrival = (request) => request } = this.#options;
    const request = arrival(this.#request);
    if (request === undefined) return this.#fail('UPSTREAM_RESET');
    const received = cluster.fake.receive(request);
    if (received.names.length === 0) this.#answer(received.run());
    else this.#write(received);
  }

  /** Coordinating node, then shard: the parent task lasts until the end, the child's only while the shard works. */
  #write(received: ReturnType<FakeCluster['receive']>): void {
    const { scheduler, cluster, faults, replicateMs = 3 } = this.#options;
    const { tasks } = cluster.fake;
    const { random } = scheduler;
    const isSlow = random.chance(faults().slow);
    const workMs = isSlow ? random.between(1, 2_000) : random.between(0.05, 2);
    const parents = received.names.map((name) => ({ name }));
    for (const task of parents) tasks.add(task);
    scheduler.quietly(random.between(0.02, 0.5), () => {
      const handOverMs = random.between(0.02, isSlow ? 50 : 0.5);
      const children = received.resolve().map((name) => ({ name, fromMs: scheduler.nowMs + handOverMs }));
      for (const task of children) tasks.add(task);
      scheduler.quietly(handOverMs + workMs, () => {
        const { answer, applied } = this.#run(received);
        scheduler.quietly(random.between(0.02, replicateMs), () => {
          for (const task of [...children, ...parents]) tasks.delete(task);
          this.#replicated(answer, applied);
        });
      });
    });
  }

  #run(received: ReturnType<FakeCluster['receive']>): { answer: UpstreamAnswer; applied: Applied[] } {
    const { cluster, onRun, owner } = this.#options;
    onRun?.(this.#request, owner);
    cluster.applied = [];
    const answer = received.run();
    return { answer, applied: cluster.applied };
  }

  #replicated(answer: UpstreamAnswer, applied: readonly Applied[]): void {
    const { cluster, scheduler } = this.#options;
    const { storage } = cluster.fake;
    let lost = false;
    for (const { index, op, seq, term } of applied) {
      if (cluster.lost.has(appliedKey({ index, id: op.id, seq, term }))) lost = true;
      else storage.replicate({ index, id: op.id, routing: op.routing, seq });
    }
    if (lost) this.#later(scheduler.random.between(1, 50), () => this.#fail('UPSTREAM_RESET'));
    else this.#answer(answer);
  }

  #answer(answer: UpstreamAnswer): void {
    const { random } = this.#options.scheduler;
    if (random.chance(this.#rates().loseAnswer)) this.#loseSoon();
    else
      this.#later(random.between(0.1, 2), () => {
        if (!this.#end()) return;
        this.#answered = true;
        this.#caller.resolve(answer);
      });
  }

  #fail(code: 'CLIENT_CLOSED' | 'UPSTREAM_TIMEOUT' | 'UPSTREAM_RESET' | 'UPSTREAM_UNREACHABLE'): void {
    if (this.#end()) this.#caller.reject(new CrossfadeError(code));
  }

  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#cancelTimeout();
    this.#request.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
