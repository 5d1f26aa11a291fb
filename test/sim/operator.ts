/**
 * The person at the command line: brings the route to `dual`, then cuts over, rolls back and rehearses a few times, each
 * tried until it is done. Now and then the leader dies, stops or loses the store at a labelled point of a switch.
 */
import type { SwitchPoint } from '../../src/agent/leader/switch.ts';
import { switchPoints } from '../../src/agent/leader/switch.ts';
import { keys } from '../../src/coordination/keys.ts';
import { type Ask, AskResult, type PhaseRecord } from '../../src/coordination/records.ts';
import type { Faults } from './faults.ts';
import type { Process } from './member.ts';
import type { Scheduler } from './scheduler.ts';
import type { StoreServer } from './store.ts';

export type Fate = 'crash' | 'stop' | 'part';
export type OperatorOptions = {
  scheduler: Scheduler;
  server: StoreServer;
  slug: string;
  /** Share of documents copied directly, all the time; else it changes now and then. */
  percentWrite: string | undefined;
  /** Longest wait before something is asked for. */
  waitMs: number;
  /** Tries of a rehearsal: it is there to be interrupted. */
  rehearsals: number;
  faults: () => Faults;
  record: () => PhaseRecord | undefined;
  strike: (process: Process, fate: Fate) => void;
  /** Foreign writers must rest while a switch is asked for: nothing can protect what they write during one. */
  quietForeigners: () => Promise<void>;
  resumeForeigners: () => void;
};
type Step = 'rehearse' | 'switch';

/** A run without a switch shows little. */
const mostSwitchTries = 12;
const retryMs = 2_000;
const patienceMs = 40_000;

export class Operator {
  /** Switches committed. */
  commits = 0;
  /** What has been answered, for the figures of a run. */
  readonly answers: AskResult[] = [];
  /** Something is asked for by means that go on for a while. */
  #busy = false;
  #hurryUntilMs = 0;
  finished = false;
  readonly #options: OperatorOptions;
  #asks = 0;
  #death: { point: SwitchPoint; fate: Fate } | undefined;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  /** Around holds is when a write can go wrong; at other times clients only keep the world moving. */
  get hurry(): boolean {
    const { scheduler, record } = this.#options;
    return this.#busy || scheduler.nowMs < this.#hurryUntilMs || record()?.hold !== undefined;
  }

  phaseWritten(): void {
    this.#hurryFor(300);
  }

  #hurryFor(ms: number): void {
    this.#hurryUntilMs = Math.max(this.#hurryUntilMs, this.#options.scheduler.nowMs + ms);
  }

  /** Called by the process that leads when it comes to a point of a switch. */
  readonly reached = async (point: SwitchPoint, process: Process): Promise<void> => {
    const { scheduler, strike } = this.#options;
    scheduler.note(`${process.name}: reached ${point}`);
    if (this.#death?.point !== point) return;
    const { fate } = this.#death;
    this.#death = undefined;
    strike(process, fate);
    // A dead or stopped process gets no further than this; a parted one goes on.
    if (fate !== 'part') await new Promise<void>((resolve) => scheduler.after(0, '', resolve, process));
  };

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.scheduler.after(ms, '', resolve));
  }

  async ask(body: Pick<Ask, 'action' | 'phase' | 'args'>): Promise<AskResult | undefined> {
    const { scheduler, server, slug } = this.#options;
    const id = `ask-${++this.#asks}`;
    const ask: Ask = { schema: 1, id, by: 'operator', reason: 'simulated', at: '', ...body };
    server.config.put(keys.ask(slug), JSON.stringify(ask));
    scheduler.note(`operator: ${body.action} ${body.phase ?? ''}`);
    const until = scheduler.nowMs + patienceMs;
    let readRevision = 0;
    while (scheduler.nowMs < until) {
      await this.#wait(100);
      const entry = server.config.get(keys.job(slug, 'ask'));
      if (entry === undefined || entry.revision === readRevision) continue;
      readRevision = entry.revision;
      const result = AskResult.parse(JSON.parse(entry.value));
      if (result.id !== id || result.state === 'running') continue;
      scheduler.note(`operator: ${body.action} ${result.state} ${result.message}`);
      this.answers.push(result);
      return result;
    }
    scheduler.note(`operator: ${body.action} not answered`);
    return undefined;
  }

  async run(switches: number): Promise<void> {
    while ((await this.ask({ action: 'phase', phase: 'dual' }))?.state !== 'done') await this.#wait(retryMs);
    const { random, lastArrivalMs, nowMs } = this.#options.scheduler;
    // What passed before the route was observed went to the plain name of the index, which nothing can fence.
    await this.#wait(lastArrivalMs - nowMs);
    while (this.commits < switches && !this.finished) {
      const { percentWrite } = this.#options;
      if (percentWrite !== undefined)
        this.#options.server.config.put(keys.percent(this.#options.slug, 'write'), percentWrite);
      else if (random.chance(0.3)) await this.#copyLess();
      await this.#wait(random.between(500, this.#options.waitMs));
      await this.#try(random.chance(0.45) ? 'rehearse' : 'switch');
    }
    this.finished = true;
  }

  /** For a while most documents reach the follower through the tail alone, several writes as one copy. */
  async #copyLess(): Promise<void> {
    const { scheduler, server, slug } = this.#options;
    const { random } = scheduler;
    server.config.put(keys.percent(slug, 'write'), random.pick(['0', '50']));
    this.#busy = true;
    await this.#wait(random.between(500, 3_000));
    this.#busy = false;
    if (random.chance(0.7)) server.config.put(keys.percent(slug, 'write'), '100');
  }

  async #try(step: Step): Promise<void> {
    const { scheduler, faults, quietForeigners, resumeForeigners } = this.#options;
    const { random } = scheduler;
    const mostTries = step === 'rehearse' ? this.#options.rehearsals : mostSwitchTries;
    for (let tries = 0; tries < mostTries && !this.finished; tries++) {
      if (random.chance(0.8)) await this.#untilFilled();
      if (random.chance(faults().leaderDeath))
        this.#death = { point: random.pick(switchPoints), fate: random.pick(['crash', 'stop', 'part'] as const) };
      await quietForeigners();
      this.#hurryFor(1_000);
      await this.#wait(500);
      const result = await this.#switch(step);
      resumeForeigners();
      if (result?.state === 'done') return;
      await this.#wait(retryMs);
    }
  }

  /** Mostly nobody asks for a switch while a status says that it would be refused for long; now and then somebody does. */
  async #untilFilled(): Promise<void> {
    const { server, slug } = this.#options;
    for (let looks = 0; looks < 20; looks++) {
      const status = server.config.get(keys.job(slug, 'status'))?.value ?? '';
      if (status.includes('"condition":"proof clean and recent","ok":true')) return;
      await this.#wait(500);
    }
  }

  async #switch(step: Step): Promise<AskResult | undefined> {
    const before = this.#options.record();
    if (step === 'rehearse') return this.ask({ action: 'rehearse' });
    const result = await this.ask({ action: before?.phase === 'target' ? 'rollback' : 'advance' });
    const after = this.#options.record();
    if (after !== undefined && before !== undefined) this.commits += after.reign - before.reign;
    return result;
  }
}
