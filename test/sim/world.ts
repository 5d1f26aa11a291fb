/**
 * A whole migration in virtual time: two clusters, the store, three processes and a fourth that joins, clients, a writer
 * past the sidecars, an operator, and whatever goes wrong. One seed is one run, to the last event.
 */
import { heartbeatPrefix, keys } from '../../src/coordination/keys.ts';
import type { Members } from '../../src/coordination/members.ts';
import type { Store } from '../../src/coordination/ports.ts';
import { Heartbeat, PhaseRecord, type Side, sides } from '../../src/coordination/records.ts';
import { RouteSpec } from '../../src/coordination/route-spec.ts';
import type { SwitchPoint } from '../../src/agent/leader/switch.ts';
import type { Transport, UpstreamRequest } from '../../src/upstream/types.ts';
import { Checker } from './checker.ts';
import { Client, refusedMarker } from './clients.ts';
import { createFakeCluster } from './fake-cluster.ts';
import { drawFaults, type Faults, noFaults, scaled } from './faults.ts';
import { History } from './history.ts';
import { type Member, type Process, startMember } from './member.ts';
import { appliedKey, type SimCluster, simTransport } from './network.ts';
import { type Fate, Operator } from './operator.ts';
import { type Random, seededRandom } from './random.ts';
import { Scheduler } from './scheduler.ts';
import type { Applied } from './storage.ts';
import { connectStore, type Link, StoreServer } from './store.ts';
import type { Story } from './stories.ts';

/** Where a mutant reaches in: it switches one defence off by wrapping what the product is given. */
export type Sabotage = {
  transport?: (transport: Transport, at: { side: Side; world: World; process: Process }) => Transport;
  store?: (store: Store, at: { world: World; process: Process }) => Store;
  members?: (members: Members, at: { world: World; process: Process }) => Members;
  /** What a cluster makes of a request when it arrives. */
  arrival?: (request: UpstreamRequest) => UpstreamRequest;
};
/** `astray`: the request does not reach the cluster, and its sender is told of a reset. */
export type Interception = {
  concerns: (request: UpstreamRequest) => boolean;
  act: (request: UpstreamRequest) => 'astray' | void;
};
/** What a run fixes instead of drawing it. */
export type Knobs = {
  clients?: number;
  hotIds?: number;
  flushMs?: number;
  /** Share of documents copied directly, all the time. */
  percentWrite?: string;
  /** Share of updates that are read back. */
  asksSource?: number;
  /** Further documents in each bulk. */
  bulkOthers?: number;
  /** Longest time between a write on the primary and on its replicas. */
  replicateMs?: number;
};
export type WorldOptions = {
  seed: number;
  sabotage?: Sabotage;
  keepLog?: boolean;
  faults?: Partial<Faults>;
  knobs?: Knobs;
  /** In place of clients, operator and weather. */
  story?: Story | undefined;
};
export type Outcome = {
  seed: number;
  violations: readonly string[];
  events: number;
  virtualMs: number;
  digest: number;
  commits: number;
  fast: number;
  fenced: number;
  log: readonly string[];
};

export const slug = 'p';
export const indexNames: Record<Side, string> = { source: 'p1', target: 'p2' };
/**
 * How long a run is. Most are short: a switch or two with all that can go wrong at them, and then the look at both sides,
 * which is where harm shows. Some are long, for what takes several switches to come about.
 */
type Length = {
  members: readonly string[];
  clients: number;
  switches: number;
  workloadMs: number;
  waitMs: number;
  rehearsals: number;
};
const three = ['m1', 'm2', 'm3'];
const drawLength = (random: Random): Length =>
  random.chance(0.07)
    ? {
        members: three,
        clients: 3,
        switches: 2 + random.below(3),
        workloadMs: 80_000,
        waitMs: 6_000,
        rehearsals: 3,
      }
    : {
        members: random.chance(0.5) ? three : three.slice(0, 2),
        clients: 2 + random.below(2),
        switches: random.chance(0.6) ? 2 : 1,
        workloadMs: 40_000,
        waitMs: 2_000,
        rehearsals: 1,
      };
const ofStory: Length = { members: three, clients: 0, switches: 0, workloadMs: 80_000, waitMs: 0, rehearsals: 0 };
const restMs = 200_000;
const mostEvents = 400_000;

export class World {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly server: StoreServer;
  readonly clusters: Record<Side, SimCluster>;
  readonly checker: Checker;
  readonly history = new History();
  readonly seed: number;
  /** In force now. */
  faults: Faults = noFaults;
  readonly #drawn: Faults;
  readonly #members = new Map<string, Member>();
  readonly #clients: Client[] = [];
  readonly operator: Operator;
  readonly #story: Story | undefined;
  #awaited: Interception | undefined;
  readonly #atPoints = new Map<SwitchPoint, (process: Process) => Promise<void>>();
  readonly #sabotage: Sabotage;
  readonly #knobs: Knobs;
  readonly #length: Length;
  #boots = 0;
  #running: { request: UpstreamRequest | undefined; process: string } = { request: undefined, process: '' };
  #foreignQuiet = false;
  #foreignOpen = 0;
  #ended = false;
  #stormEnds = (): void => undefined;

  constructor({ seed, sabotage = {}, keepLog = false, faults, knobs = {}, story }: WorldOptions) {
    this.#story = story;
    this.#knobs = knobs;
    this.seed = seed;
    this.random = seededRandom(seed);
    this.scheduler = new Scheduler(this.random, { keepLog });
    this.#sabotage = sabotage;
    this.#length = story === undefined ? drawLength(this.random) : ofStory;
    this.#drawn = { ...drawFaults(this.random), ...faults };
    this.server = new StoreServer(this.scheduler, () => this.faults);
    this.clusters = { source: this.#cluster('source', 2), target: this.#cluster('target', 3) };
    this.checker = new Checker({
      now: () => this.scheduler.nowMs,
      history: this.history,
      clusters: this.clusters,
      names: indexNames,
    });
    this.server.config.onWrite = ({ key, value, revision }) => {
      if (key !== keys.phase(slug)) return;
      const record = PhaseRecord.parse(JSON.parse(value));
      const { phase, epoch, reign, hold } = record;
      this.scheduler.note(
        `phase ${phase} e${epoch} r${reign}${hold === undefined ? '' : ` hold ${hold.to}`} @${revision}`,
      );
      this.checker.phaseWritten(record, revision);
      this.operator.phaseWritten();
      if (hold !== undefined && this.#story === undefined && this.random.chance(0.4)) this.#weather(true);
    };
    this.operator = new Operator({
      scheduler: this.scheduler,
      server: this.server,
      slug,
      percentWrite: knobs.percentWrite,
      waitMs: this.#length.waitMs,
      rehearsals: this.#length.rehearsals,
      faults: () => this.faults,
      record: () => this.checker.steps.at(-1)?.record,
      strike: (process, fate) => this.strike(process, fate),
      quietForeigners: () => this.#quietForeigners(),
      resumeForeigners: () => {
        this.#foreignQuiet = false;
      },
    });
  }

  #cluster(name: Side, shards: number): SimCluster {
    const { random } = this;
    let ids = 0;
    const fake = createFakeCluster({
      now: () => this.scheduler.nowMs,
      name,
      shards,
      replicateLater: true,
      newId: () => `auto-${name}-${++ids}-${random.below(1e6)}`,
    });
    const cluster: SimCluster = { name, fake, down: false, applied: [], lost: new Set() };
    fake.storage.createIndex(indexNames[name]);
    fake.storage.onApplied = (applied) => {
      cluster.applied.push(applied);
      const { request, process } = this.#running;
      const opaque = request?.headers?.['x-opaque-id'];
      const { op, after, seq, term, version } = applied;
      const what = op.external === true ? `copy ${version}` : String(opaque);
      this.scheduler.note(`${name} ${op.op} ${op.id} ${seq}/${term} ${what} ${after?.source ?? 'gone'}`);
      this.checker.applied(name, applied, { opaque: typeof opaque === 'string' ? opaque : undefined, process });
    };
    fake.storage.onLost = (lost) => {
      cluster.lost.add(appliedKey(lost));
      this.scheduler.note(`${name} lost ${lost.id} ${lost.seq}/${lost.term}`);
      this.checker.lost(lost);
    };
    return cluster;
  }

  // Processes

  start(name: string): void {
    const process: Process = {
      name,
      boot: `boot-${++this.#boots}`,
      alive: true,
      stoppedUntil: 0,
      clockOffsetMs: this.random.between(0, 1e6),
    };
    const link: Link = { owner: process, parted: false };
    const { members: wrap, store: wrapStore } = this.#sabotage;
    const store = connectStore(this.server, link);
    this.scheduler.note(`${name} starts as ${process.boot}`);
    const member = startMember({
      scheduler: this.scheduler,
      process,
      link,
      slug,
      store: wrapStore?.(store, { world: this, process }) ?? store,
      transports: { source: this.#transport('source', process), target: this.#transport('target', process) },
      onStates: (states) => this.checker.stateApplied(name, process.boot, states.get(slug)),
      onReached: (point, by) => this.#reached(point, by),
      ...(wrap === undefined ? {} : { wrapMembers: (own) => wrap(own, { world: this, process }) }),
    });
    this.#members.set(name, member);
  }

  #transport(side: Side, process: Process): Transport {
    const transport = simTransport({
      scheduler: this.scheduler,
      faults: () => this.faults,
      cluster: this.clusters[side],
      owner: process,
      arrival: (request) => this.#arrives(request),
      replicateMs: this.#knobs.replicateMs,
      epoch: () => this.checker.steps.at(-1)?.record.epoch ?? 0,
      onRun: (request, owner) => {
        this.#running = { request, process: owner.name };
      },
    });
    return this.#sabotage.transport?.(transport, { side, world: this, process }) ?? transport;
  }

  #arrives(request: UpstreamRequest): UpstreamRequest | undefined {
    const awaited = this.#awaited;
    if (awaited?.concerns(request) === true) {
      this.#awaited = undefined;
      if (awaited.act(request) === 'astray') return undefined;
    }
    return this.#sabotage.arrival?.(request) ?? request;
  }

  async #reached(point: SwitchPoint, process: Process): Promise<void> {
    await this.operator.reached(point, process);
    await this.#atPoints.get(point)?.(process);
  }

  // What stories reach in with

  member(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`no process ${name}`);
    return member;
  }

  /** Runs once, when the next such request has arrived and before its cluster looks at it. */
  beforeNext(concerns: Interception['concerns'], act: Interception['act']): void {
    this.#awaited = { concerns, act };
  }

  /** Runs in the leader of a switch when it comes to this point; the leader waits for it. */
  at(point: SwitchPoint, act: (process: Process) => Promise<void>): void {
    this.#atPoints.set(point, act);
  }

  /** The primary applies this now; no replica hears of it before it is told to. */
  applies(side: Side, request: UpstreamRequest, process: string): readonly Applied[] {
    const cluster = this.clusters[side];
    this.#running = { request, process };
    cluster.applied = [];
    cluster.fake.receive(request).run();
    return cluster.applied;
  }

  #serving(): Member[] {
    return [...this.#members.values()].filter(({ process, serving }) => process.alive && serving);
  }

  kill(name: string): void {
    this.member(name).process.alive = false;
    for (const client of this.#clients) client.processDied(name);
  }

  strike(process: Process, fate: Fate): void {
    const { random, scheduler } = this;
    const member = this.#members.get(process.name);
    if (!process.alive || member?.process !== process) return;
    scheduler.note(`${process.name}: ${fate}`);
    switch (fate) {
      case 'crash':
        this.kill(process.name);
        scheduler.after(random.chance(0.5) ? random.between(50, 3_000) : random.between(5_000, 30_000), '', () =>
          this.start(process.name),
        );
        return;
      case 'stop':
        process.stoppedUntil =
          scheduler.nowMs + (random.chance(0.3) ? random.between(50, 3_000) : random.between(3_000, 30_000));
        return;
      case 'part':
        this.#part(member.link);
        return;
      default:
        fate satisfies never;
    }
  }

  #part(link: Link): void {
    link.parted = true;
    const ms = this.random.chance(0.4) ? this.random.between(100, 4_000) : this.random.between(4_000, 30_000);
    this.scheduler.after(ms, '', () => {
      link.parted = false;
    });
  }

  // Faults that come by themselves

  /** Storms and calms, in turns. A storm likes to begin while writes are held. */
  #weather(storm: boolean): void {
    if (this.#ended) return;
    this.#stormEnds();
    this.faults = storm ? this.#drawn : scaled(this.#drawn, 0.02);
    const ms = storm ? this.random.between(500, 5_000) : this.random.between(4_000, 20_000);
    this.#stormEnds = this.scheduler.after(ms, storm ? 'calm' : 'storm', () => this.#weather(!storm));
  }

  #every(mean: () => number, run: () => void): void {
    const next = (): void => {
      const ms = mean();
      if (this.#ended) return;
      this.scheduler.after(ms === 0 ? 5_000 : this.random.between(0.2 * ms, 1.8 * ms), '', () => {
        if (ms !== 0 && !this.#ended) run();
        next();
      });
    };
    next();
  }

  #schedule(): void {
    const { random } = this;
    const anyone = (): Process | undefined => {
      const living = [...this.#members.values()].filter(({ process }) => process.alive);
      return living.length === 0 ? undefined : random.pick(living).process;
    };
    const strikeAny = (fate: Fate) => (): void => {
      const process = anyone();
      if (process !== undefined) this.strike(process, fate);
    };
    const side = (): Side => random.pick(sides);
    this.#every(() => this.faults.crashEveryMs, strikeAny('crash'));
    this.#every(() => this.faults.stopEveryMs, strikeAny('stop'));
    this.#every(() => this.faults.partitionEveryMs, strikeAny('part'));
    this.#every(
      () => this.faults.tombstonesEveryMs,
      () => {
        const on = side();
        this.clusters[on].fake.storage.loseTombstones(indexNames[on]);
      },
    );
    this.#every(
      () => this.faults.failOverEveryMs,
      () => {
        const on = side();
        this.scheduler.note(`${on} fails over`);
        this.clusters[on].fake.storage.failOver(indexNames[on]);
      },
    );
    this.#every(
      () => this.faults.outageEveryMs,
      () => {
        const cluster = this.clusters[side()];
        cluster.down = true;
        this.scheduler.after(random.between(100, 10_000), '', () => {
          cluster.down = false;
        });
      },
    );
  }

  // A writer past the sidecars

  #foreign(): void {
    if (this.#ended || !this.#drawn.foreignWrites) return;
    this.scheduler.after(this.random.between(200, 8_000), '', () => {
      const record = this.checker.steps.at(-1)?.record;
      const isAllowed = !this.#ended && !this.#foreignQuiet;
      const may = isAllowed && record?.hold === undefined && this.checker.authority === 'source';
      if (may && !this.clusters.source.down) this.#foreignWrite();
      this.#foreign();
    });
  }

  #foreignWrite(): void {
    const { random, scheduler } = this;
    const id = random.pick(['a', 'b', 'c', 'f']);
    const name = `foreign-${scheduler.events}`;
    const remove = random.chance(0.3);
    this.#foreignOpen++;
    scheduler.after(random.between(0, 5), '', () => {
      const path = `/${indexNames.source}/_doc/${id}`;
      const body = remove ? undefined : `{"f0":"${name}"}`;
      const request = { method: remove ? 'DELETE' : 'PUT', path, body, headers: { 'x-opaque-id': name } };
      for (const { index, op, seq } of this.applies('source', request, 'foreigner'))
        this.clusters.source.fake.storage.replicate({ index, id: op.id, seq });
      this.#foreignOpen--;
    });
  }

  async #quietForeigners(): Promise<void> {
    this.#foreignQuiet = true;
    while (this.#foreignOpen > 0) await new Promise<void>((resolve) => this.scheduler.after(10, '', resolve));
  }

  // The run

  #prepare(): void {
    const spec = RouteSpec.parse({
      route: slug,
      indices: [{ source: indexNames.source, target: indexNames.target }],
      ackPolicy: this.random.chance(0.3) ? 'both' : 'authority',
      copies: { flushMs: this.#knobs.flushMs ?? this.random.pick([0, 5, 50]) },
      backfill: { chunkDocs: 5, concurrency: 1, maxPageDocs: this.random.pick([2, 100]) },
    });
    this.server.config.put(keys.config(slug), JSON.stringify(spec));
    const { storage } = this.clusters.source.fake;
    for (let i = 0; i < 30; i++) {
      this.#running = {
        request: { method: 'PUT', path: '', headers: { 'x-opaque-id': 'foreign-seed' } },
        process: 'seed',
      };
      const id = i < 3 ? (['a', 'b', 'c'][i] as string) : `old-${i}`;
      storage.write({ op: 'index', index: indexNames.source, id, source: `{"f0":"old-${i}"}` });
      if (i % 5 === 4) storage.write({ op: 'delete', index: indexNames.source, id: `old-${i - 1}` });
    }
    for (const { index, op, seq } of this.clusters.source.applied) storage.replicate({ index, id: op.id, seq });
    this.clusters.source.applied = [];
    this.clusters.target.fake.storage.refusal = (source) =>
      this.faults.refusedDocuments && source.includes(refusedMarker) ? 'the mapping refuses it' : undefined;
  }

  #crowd(): void {
    const hotIds = ['a', 'b', 'c', 'd', 'e'].slice(0, this.#knobs.hotIds ?? 2 + this.random.below(4));
    for (let i = 1; i <= (this.#knobs.clients ?? this.#length.clients); i++)
      this.#clients.push(
        new Client(`c${i}`, {
          scheduler: this.scheduler,
          history: this.history,
          index: indexNames.source,
          hotIds,
          members: () => this.#serving(),
          asksSource: this.#knobs.asksSource ?? 0.3,
          bulkOthers: this.#knobs.bulkOthers ?? 0,
          refusedDocuments: () => this.faults.refusedDocuments,
          hurry: () => this.operator.hurry,
          onProblem: (problem) => this.checker.problem(problem),
        }),
      );
  }

  #stuck = (): boolean => this.checker.violations.length > 0 || this.scheduler.events > mostEvents;

  async run(): Promise<Outcome> {
    this.#prepare();
    for (const name of this.#length.members) this.start(name);
    if (this.#story === undefined) this.#leaveToChance();
    else void this.#tell(this.#story);
    await this.scheduler.run(this.#length.workloadMs, () => this.operator.finished || this.#stuck());
    if (this.checker.violations.length === 0) await this.#comeToRest();
    return this.#outcome();
  }

  #leaveToChance(): void {
    const { switches, workloadMs } = this.#length;
    this.scheduler.after(this.random.between(5_000, 1.2 * workloadMs), '', () => this.start('m4'));
    this.#crowd();
    const calmStart = this.random.chance(0.85);
    this.scheduler.after(calmStart ? 4_000 : 0, '', () => {
      this.#weather(!calmStart);
      this.#schedule();
      this.#foreign();
    });
    void this.operator.run(switches);
  }

  async #tell(story: Story): Promise<void> {
    await story(this).catch((error: unknown) => this.checker.problem(`the story broke off: ${error}`));
    this.operator.finished = true;
  }

  /** Everything is put right; then the migration must come to rest by itself. */
  async #comeToRest(): Promise<void> {
    const { scheduler } = this;
    scheduler.note('all faults end');
    this.operator.finished = true;
    this.#ended = true;
    this.#stormEnds();
    this.faults = noFaults;
    for (const { process, link } of this.#members.values()) {
      process.stoppedUntil = 0;
      link.parted = false;
    }
    for (const cluster of Object.values(this.clusters)) cluster.down = false;
    for (const client of this.#clients) client.stop();
    const healedMs = Math.max(scheduler.nowMs, scheduler.lastArrivalMs) + 1_000;
    let resting = false;
    let sinceMs = healedMs;
    const look = (): void => {
      // A proof made while requests are under way allows for them; heartbeats tell of the last one a little later.
      if (this.#underWay() > 0) sinceMs = Math.max(sinceMs, scheduler.nowMs + 5_000);
      resting = this.#isAtRest(sinceMs);
      if (!resting) scheduler.after(500, '', look);
    };
    look();
    await scheduler.run(healedMs + restMs, () => resting || this.#stuck());
    if (!resting) this.checker.problem(`I13: does not come to rest: ${this.#why(sinceMs)}`);
    this.checker.atEnd(resting);
  }

  /** Requests of clients, and copies that a member still waits for: some requests are only given up after half a minute. */
  #underWay(): number {
    const heartbeats = this.server.live.list(heartbeatPrefix).map(({ value }) => Heartbeat.parse(JSON.parse(value)));
    return heartbeats.reduce((sum, { routes }) => {
      const line = routes[slug];
      return sum + (line === undefined ? 0 : line.pendingCopies + line.inFlight);
    }, this.history.open().length);
  }

  #why(sinceMs: number): string {
    const text = this.server.config.get(keys.job(slug, 'status'))?.value;
    if (text === undefined) return 'no status';
    const status = JSON.parse(text);
    const record = this.checker.steps.at(-1)?.record;
    const underWay = this.#underWay();
    if (underWay > 0) return `${underWay} requests or copies are under way`;
    if (record?.hold !== undefined) return 'hold';
    if (record?.phase !== 'dual' && record?.phase !== 'target') return `phase ${record?.phase}`;
    if (status.epoch !== record.epoch || status.reign !== record.reign) return 'status of another epoch';
    if (status.backfill?.state !== 'done') return `backfill ${JSON.stringify(status.backfill)}`;
    if (status.sweep?.state === 'needed' || status.sweep?.state === 'running')
      return `sweep ${JSON.stringify(status.sweep)}`;
    if (status.quarantine?.total > 0) return `quarantine ${JSON.stringify(status.quarantine)}`;
    if (status.tail?.behind !== 0 || status.tail?.state !== 'running' || status.tail.lagSeconds > 3)
      return `tail ${JSON.stringify(status.tail)}`;
    if (status.proof?.equal !== true || Date.parse(status.proof.at) < sinceMs)
      return `proof ${JSON.stringify(status.proof)}`;
    return '';
  }

  #isAtRest(sinceMs: number): boolean {
    return this.scheduler.nowMs > sinceMs && this.#why(sinceMs) === '';
  }

  #outcome(): Outcome {
    const paths = this.operator.answers.map(({ details }) => (details?.['report'] as { path?: string })?.path);
    return {
      seed: this.seed,
      violations: this.checker.violations,
      events: this.scheduler.events,
      virtualMs: this.scheduler.nowMs,
      digest: this.scheduler.digest,
      commits: this.operator.commits,
      fast: paths.filter((path) => path === 'fast').length,
      fenced: paths.filter((path) => path === 'fenced').length,
      log: this.scheduler.log(),
    };
  }
}

/** Errors are part of the weather, and nobody looks where the many of a run came from, unless its log is kept. */
export const simulate = async (options: WorldOptions): Promise<Outcome> => {
  const { stackTraceLimit } = Error;
  if (options.keepLog !== true) Error.stackTraceLimit = 0;
  try {
    return await new World(options).run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
};
