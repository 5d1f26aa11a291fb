/** A migration's ramp from end to end without clusters: three pods compare, one leader judges and turns pct.read. */
import { describe, expect, it } from 'vitest';
import { type AutoScope, runAuto } from '../../../src/agent/leader/auto-runner.ts';
import { FleetVerdict } from '../../../src/agent/leader/fleet-verdict.ts';
import { createJournal } from '../../../src/agent/leader/journal.ts';
import type { Leading } from '../../../src/agent/leader/leading.ts';
import { evidenceText } from '../../../src/compare/evidence-record.ts';
import { Tally } from '../../../src/compare/summary.ts';
import type { Observation, Severity } from '../../../src/compare/types.ts';
import { evidenceSubject } from '../../../src/coordination/evidence-subject.ts';
import { keys } from '../../../src/coordination/keys.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { type AutoSettings, RouteSpec } from '../../../src/coordination/route-spec.ts';
import { seeded } from '../../fixtures/compare/catalog.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { routeState } from '../../support/routes.ts';

const slug = 'products';
const turnMs = 10_000;
const perTurn = 100;
const began = Date.parse('2026-01-02T00:00:00Z');
const equal: Observation = { severity: 'none', differences: [], counts: {} };

const auto: AutoSettings = {
  ramp: { steps: [1, 10, 50, 100], dwellSeconds: 60 },
  rollback: { severity: 'S4', errorRatePercent: 2, lagSeconds: 30, quarantined: 0, latencyWorsePercent: 100 },
};

type World = { severity: Severity; bad: number; otherMs: number; lagSeconds: number; quarantined: number };

class Migration {
  readonly store = new MemoryStore();
  readonly world: World = { severity: 'S4', bad: 0, otherMs: 10, lagSeconds: 0, quarantined: 0 };
  readonly #random = seeded(7);
  readonly #pods = ['a', 'b', 'c'].map((boot) => ({ boot, tally: new Tally('') }));
  readonly #spec: unknown;
  /** Of the job. */
  paused = false;
  backfill = 'done';
  sweep = { coveredEvents: 0 };
  tail = 'running';
  percentFloor = 0;
  specRevision = 1;
  stop = false;
  /** Of the next leader's machine. */
  clockAheadMs = 0;
  scope: AutoScope = 'anything';
  #leading: Leading;
  #nowMs = 0;

  constructor(settings = auto) {
    this.#spec = RouteSpec.parse({ ...routeState().spec, auto: settings });
    this.#leading = this.#newLeader();
  }

  async state(): Promise<RouteState> {
    const entry = await this.store.config.get(keys.percent(slug, 'read'));
    const read = entry === undefined || entry.revision <= this.percentFloor ? 0 : Number(entry.value);
    const { stop, specRevision } = this;
    const state = { ...routeState({ percent: { read }, stop }), specRevision, spec: this.#spec as RouteState['spec'] };
    return { ...state, phase: { ...state.phase, percentFloor: this.percentFloor } };
  }

  async audit(): Promise<{ what: string; reason: string; evidence: Record<string, unknown> }[]> {
    return (await this.store.config.list(`audit.${slug}.`)).map(({ value }) => JSON.parse(value));
  }

  /** Each value that pct.read takes over so many turns. */
  async run(turns: number): Promise<number[]> {
    const values: number[] = [];
    for (let i = 0; i < turns; i++) {
      this.#nowMs += turnMs;
      await this.#compare(await this.state());
      await runAuto(this.#leading, await this.state(), this.scope);
      const { read } = (await this.state()).percent;
      if (values.at(-1) !== read) values.push(read);
    }
    return values;
  }

  changeLeader(): void {
    this.#leading = this.#newLeader();
  }

  async #compare(state: RouteState): Promise<void> {
    for (const { boot, tally } of this.#pods) {
      tally.restart(evidenceSubject(state, this.backfill === 'done'));
      for (let i = 0; i < perTurn; i++) tally.note(this.#one());
      await this.store.config.put(keys.evidence(slug, boot), evidenceText(tally.snapshot(), { member: boot, boot }));
    }
  }

  #one() {
    const { severity, bad, otherMs } = this.world;
    return {
      shape: { fingerprint: '00000000000000a1', label: 'search shop match(title)' },
      observation: this.#random() < bad ? { ...equal, severity } : equal,
      ...(this.#random() < 0.1 && { baseline: equal }),
      authorityMs: 10,
      otherMs,
      atMs: began + this.#nowMs,
    };
  }

  /** Only what runAuto touches of a leader. */
  #newLeader(): Leading {
    const aheadMs = this.clockAheadMs;
    const clock = () => new Date(began + aheadMs + this.#nowMs).toISOString();
    const now = () => this.#nowMs;
    const { config } = this.store;
    return {
      deps: {
        slug,
        store: this.store,
        member: 'leader',
        runtime: { now },
        clock,
      },
      journal: createJournal({ bucket: config, slug, by: 'leader', clock, now }),
      job: { current: () => ({ paused: this.paused, work: { backfill: this.backfill, sweep: this.sweep } }) },
      verdict: new FleetVerdict({
        bucket: config,
        slug,
        isFilled: () => this.backfill === 'done',
        now,
        wallMs: () => began + this.#nowMs,
      }),
      work: {
        facts: () => ({ tail: { state: this.tail, behind: 0, lagSeconds: this.world.lagSeconds } }),
        quarantines: () => [{ docs: [], overflowed: this.world.quarantined }],
      },
    } as unknown as Leading;
  }
}

describe('the ramp of a route that goes by itself', () => {
  it('raises the share step by step while the fleet says promote, and writes down why', async () => {
    const migration = new Migration();
    expect(await migration.run(60)).toEqual([0, 1, 10, 50, 100]);
    const entries = await migration.audit();
    expect(entries.map(({ what }) => what)).toEqual([1, 10, 50, 100].map((step) => `auto: pct.read ${step}`));
    for (const { reason, evidence } of entries) {
      expect(reason).toMatch(/verdict promote after \d+ s: every limit kept over \d+ comparisons/);
      expect(evidence).toMatchObject({ verdict: 'promote', judged: { samples: expect.any(Number), members: 3 } });
      expect(evidence['sinceChangeMs']).toBeGreaterThanOrEqual(60_000);
    }
  });

  it('takes no step before the dwell is over, also when another leader takes over', async () => {
    const migration = new Migration();
    await migration.run(6);
    migration.changeLeader();
    expect(await migration.run(6)).toEqual([0]);
    expect(await migration.run(1)).toEqual([1]);
  });

  it.each<[string, Partial<World>, RegExp, AutoSettings?]>([
    ['documents are missing', { bad: 0.05 }, /mismatches of severity S4: S4 in \d+\.\d\d % of comparisons/],
    [
      'it fails',
      { bad: 0.1, severity: 'S0' },
      /the follower failed in \d+\.\d\d % of \d+ comparisons, more than 2 %/,
      { ...auto, rollback: { errorRatePercent: 2 } },
    ],
    ['it answers slowly', { otherMs: 40 }, /answers are more than 100 % slower in \d+\.\d\d % of \d+ pairs/],
    ['it lags', { lagSeconds: 31 }, /the follower lags 31\.0 s behind/],
    ['it refuses documents', { quarantined: 2 }, /2 copies are in quarantine/],
  ])('brings reads home when %s', async (_, fault, reason, settings) => {
    const migration = new Migration(settings);
    await migration.run(40);
    expect((await migration.state()).percent.read).toBeGreaterThanOrEqual(10);
    Object.assign(migration.world, fault);
    await migration.run(20);
    expect((await migration.state()).percent.read).toBe(0);
    const home = (await migration.audit()).at(-1)!;
    expect(home).toMatchObject({ what: 'auto: pct.read 0', reason: expect.stringMatching(reason) });
    expect(home.evidence).toMatchObject({ readPercent: expect.any(Number), judged: { verdict: expect.any(String) } });
  });

  it.each<[string, Partial<World>, RegExp]>([
    ['it answers slowly', { otherMs: 40 }, /^latency: .* in queries of the shape search shop match\(title\)$/],
    ['it fails', { bad: 1, severity: 'S0' }, /the follower failed in \d+\.\d\d % of \d+ comparisons/],
  ])('brings reads home within a minute when %s, however long all was well', async (_, fault, reason) => {
    const { severity: _severity, ...limits } = auto.rollback!;
    const migration = new Migration({ ...auto, rollback: limits });
    await migration.run(300);
    expect((await migration.state()).percent.read).toBe(100);
    Object.assign(migration.world, fault);
    await migration.run(6);
    expect((await migration.state()).percent.read).toBe(0);
    expect((await migration.audit()).at(-1)?.reason).toMatch(reason);
  });

  it('climbs again when the fault is gone, after a dwell that doubled', async () => {
    const migration = new Migration();
    await migration.run(40);
    migration.world.lagSeconds = 31;
    await migration.run(1);
    migration.world.lagSeconds = 0;
    expect(await migration.run(11)).toEqual([0]);
    expect(await migration.run(3)).toEqual([0, 1]);
  });

  it.each<[string, Partial<Migration>]>([
    ['the route is paused', { paused: true }],
    ['the backfill runs', { backfill: 'running' }],
    ['the first sweep runs', { sweep: { coveredEvents: -1 } }],
    ['the follower takes nothing', { tail: 'failed' }],
    ['nobody knows how far behind the tail is', { tail: 'none' }],
  ])('takes no step while %s', async (_, bar) => {
    const migration = Object.assign(new Migration(), bar);
    expect(await migration.run(20)).toEqual([0]);
    Object.assign(migration, { paused: false, backfill: 'done', sweep: { coveredEvents: 0 }, tail: 'running' });
    expect(await migration.run(20)).toContain(1);
  });

  it('takes no step while the follower is further behind than a switch allows', async () => {
    const migration = new Migration();
    migration.world.lagSeconds = 4;
    expect(await migration.run(20)).toEqual([0]);
    migration.world.lagSeconds = 2;
    expect(await migration.run(1)).toEqual([1]);
  });

  it('brings reads home while the route is paused', async () => {
    const migration = new Migration();
    await migration.run(12);
    migration.paused = true;
    migration.world.quarantined = 1;
    await migration.run(1);
    expect((await migration.state()).percent.read).toBe(0);
  });

  it('brings reads home beside something else that goes on, and raises nothing then', async () => {
    const migration = new Migration();
    await migration.run(12);
    migration.scope = 'only home';
    expect(await migration.run(20)).toEqual([1]);
    migration.world.quarantined = 1;
    expect(await migration.run(1)).toEqual([0]);
  });

  it('begins again over a share that a switch of authority has made void', async () => {
    const migration = new Migration();
    await migration.run(60);
    expect((await migration.store.config.get(keys.percent(slug, 'read')))?.value).toBe('100');
    migration.percentFloor = (await migration.store.config.get(keys.percent(slug, 'read')))!.revision;
    expect(await migration.run(12)).toEqual([0, 1]);
  });

  it('dwells on under another leader, and as long as the last one would have', async () => {
    const migration = new Migration();
    await migration.run(40);
    migration.world.lagSeconds = 31;
    await migration.run(1);
    migration.world.lagSeconds = 0;
    expect(await migration.run(6)).toEqual([0]);
    migration.changeLeader();
    expect(await migration.run(7)).toEqual([0]);
    expect(await migration.run(1)).toEqual([1]);
  });

  it.each([1, -1])('does not take the clock of the leader before it for its own, %d hour apart', async (hours) => {
    const migration = new Migration();
    await migration.run(8);
    expect((await migration.state()).percent.read).toBe(1);
    migration.clockAheadMs = hours * 3_600_000;
    migration.changeLeader();
    expect(await migration.run(5)).toEqual([1]);
    expect(await migration.run(2)).toContain(10);
  });

  it.each<[string, Partial<Migration>, Partial<Migration>]>([
    ['the route file changed twice', { specRevision: 9 }, { specRevision: 10 }],
    ['stop was on for a moment', { stop: true }, { stop: false }],
  ])('dwells anew when the evidence began anew because %s', async (_, change, next) => {
    const migration = new Migration();
    await migration.run(12);
    expect((await migration.state()).percent.read).toBe(1);
    Object.assign(migration, change);
    await migration.run(1);
    Object.assign(migration, next);
    expect(await migration.run(6)).toEqual([1]);
    migration.changeLeader();
    expect(await migration.run(1)).toEqual([1]);
    expect(await migration.run(1)).toEqual([10]);
  });

  it('dwells anew when the backfill ends, as all that was seen before it is no evidence', async () => {
    const migration = Object.assign(new Migration(), { backfill: 'running' });
    expect(await migration.run(20)).toEqual([0]);
    migration.backfill = 'done';
    expect(await migration.run(6)).toEqual([0]);
    expect(await migration.run(1)).toEqual([1]);
  });

  it('forgets the doubling under another leader when somebody has set the share since', async () => {
    const migration = new Migration();
    await migration.run(40);
    migration.world.lagSeconds = 31;
    await migration.run(1);
    migration.world.lagSeconds = 0;
    migration.changeLeader();
    await migration.store.config.put(keys.percent(slug, 'read'), '0');
    expect(await migration.run(8)).toEqual([0, 1]);
  });

  it('leaves alone what a person has set in the same moment', async () => {
    const migration = new Migration();
    await migration.run(12);
    const { config } = migration.store;
    const get = config.get.bind(config);
    // The leader has seen 1 %; the person's 0 % lands before its write.
    config.get = async (key) => {
      if (key === keys.percent(slug, 'read') && stack()) await config.put(key, '0');
      return get(key);
    };
    const stack = (): boolean => (new Error().stack ?? '').includes('auto-runner.ts:');
    await migration.run(8);
    expect((await migration.audit()).filter(({ what }) => what !== 'auto: pct.read 1')).toEqual([]);
  });
});
