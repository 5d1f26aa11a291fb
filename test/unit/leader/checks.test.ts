import { describe, expect, it } from 'vitest';
import type { ClusterControl } from '../../../src/agent/cluster.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { runAsk } from '../../../src/agent/leader/ask-runner.ts';
import { Interruption } from '../../../src/agent/leader/interruption.ts';
import { createJobStore, newWork } from '../../../src/agent/leader/job-state.ts';
import { createJournal } from '../../../src/agent/leader/journal.ts';
import type { Leading } from '../../../src/agent/leader/leading.ts';
import { createPhaseWriter } from '../../../src/agent/leader/phase-writer.ts';
import { takePosition } from '../../../src/agent/positions.ts';
import { beginTail, tailStep } from '../../../src/agent/tail.ts';
import { keys } from '../../../src/coordination/keys.ts';
import type { Bucket } from '../../../src/coordination/ports.ts';
import { silentLogger } from '../../../src/log.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { type Engine, engine } from '../agent/engine.ts';
import { noTransforms } from '../agent/route.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';

const slug = 'products';
const clock = (): string => '2026-01-01T00:00:00.000Z';

type Stage = { made: Engine; bucket: Bucket };

/** Forty documents, of which d3 is missing on the follower, d5 is another and `stranger` is extra. */
const damaged = async (): Promise<Stage> => {
  const made = engine();
  for (let i = 0; i < 40; i++) made.put(`d${i}`, { i });
  const begun = await beginTail('start', made.io);
  if (begun.kind === 'ok') await tailStep(begun.state, made.io);
  const { storage } = made.pair.target;
  storage.write({ op: 'delete', index: 'p2', id: 'd3' });
  storage.write({ op: 'index', index: 'p2', id: 'd5', source: '{"i":"other"}' });
  storage.write({ op: 'index', index: 'p2', id: 'stranger', source: '{}' });
  return { made, bucket: new MemoryBucket() };
};

/** A leader that has just taken over: it knows what the store knows. */
const leader = async ({ made, bucket }: Stage): Promise<Leading> => {
  const { clusters, runtime } = made.io;
  const job = createJobStore(bucket, slug);
  await job.load();
  const taken = await takePosition('p1', 'checkpoint', { cluster: clusters.source, runtime });
  if (taken.kind !== 'ok') throw new Error(taken.detail);
  const tail = { schema: 1 as const, authority: 'source' as const, reign: 1, indices: [taken.position] };
  await job.save({ work: { ...newWork({ reign: 1, authority: 'source', epoch: 1 }), tail } });
  return {
    deps: {
      slug,
      logger: silentLogger(),
      clusters,
      runtime,
      transforms: noTransforms,
      store: { config: bucket },
      lease: { isHeld: () => true },
      state: () => made.state,
    },
    job,
    journal: createJournal({ bucket, slug, by: 'gateway-0', clock, now: () => 0 }),
    writer: createPhaseWriter({ bucket, slug, by: 'gateway-0', clock, now: () => 0 }),
  } as unknown as Leading;
};

type Answer = { id: string; state: string; message: string; details: Record<string, unknown> };
const answer = async ({ bucket }: Stage): Promise<Answer> =>
  JSON.parse((await bucket.get(keys.job(slug, 'ask')))?.value ?? '{}');
const ask = (stage: Stage, asked: { id: string; action: string; args?: Record<string, unknown> }) =>
  stage.bucket.put(keys.ask(slug), JSON.stringify({ schema: 1, by: 'ops', reason: '', at: clock(), ...asked }));
const turn = async (stage: Stage, leading: Leading): Promise<Answer> => {
  await runAsk(leading, stage.made.state, new Interruption(manualRuntime()));
  return answer(stage);
};

describe('a verification', () => {
  it('goes on in further turns, and with another leader where the last one died', async () => {
    const stage = await damaged();
    await ask(stage, { id: 'v', action: 'verify', args: { mode: 'full' } });
    const states: string[] = [];
    let last: Answer | undefined;
    while (last?.state !== 'done') {
      // Each turn is that of a new leader.
      last = await turn(stage, await leader(stage));
      states.push(last.state);
    }
    expect(states.length).toBeGreaterThan(1);
    expect(last.details).toMatchObject({ equal: false, missing: 1, extra: 1, different: 1, checked: 41 });
  });

  it('names the index of each wrong document as `repair --index` takes it, not its place in the route', async () => {
    const stage = await damaged();
    const leading = await leader(stage);
    await ask(stage, { id: 'v', action: 'verify', args: { mode: 'full' } });
    let last = await turn(stage, leading);
    while (last.state !== 'done') last = await turn(stage, leading);
    const { findings } = last.details as { findings: Record<string, unknown>[] };
    expect(findings.map(({ kind, index, id }) => `${kind} ${index} ${id}`).sort()).toEqual([
      'different p1 d5',
      'extra p1 stranger',
      'missing p1 d3',
    ]);
    expect(findings.flatMap(Object.keys)).not.toContain('ordinal');
  });

  it('gives way to what is asked meanwhile, and is left behind by it', async () => {
    const stage = await damaged();
    const leading = await leader(stage);
    await ask(stage, { id: 'v', action: 'verify', args: { mode: 'hash' } });
    expect(await turn(stage, leading)).toMatchObject({ id: 'v', state: 'running' });
    await ask(stage, { id: 'p', action: 'pause' });
    expect(await turn(stage, leading)).toMatchObject({ id: 'p', state: 'done' });
  });

  it('is cut short at once when somebody wants the loop, and has lost nothing then', async () => {
    const stage = await damaged();
    const leading = await leader(stage);
    await ask(stage, { id: 'v', action: 'verify', args: { mode: 'stamp' } });
    const interruption = new Interruption(manualRuntime());
    const running = runAsk(leading, stage.made.state, interruption);
    setImmediate(() => interruption.want());
    await running;
    expect(await answer(stage)).toMatchObject({ id: 'v', state: 'running' });
    let last = await turn(stage, leading);
    while (last.state !== 'done') last = await turn(stage, leading);
    expect(last.details).toMatchObject({ missing: 1, extra: 1, different: 1, checked: 41 });
  });
});

describe('a cluster that is away', () => {
  const down = () => Promise.reject(new CrossfadeError('UPSTREAM_UNREACHABLE', 'the target is away'));
  const cutOff = ({ made }: Stage): (() => void) => {
    const { clusters } = made.io;
    const { target } = clusters;
    const away = { ...target, mget: down, shardStats: down, searchBySeq: down, getIndex: down };
    Object.assign(clusters, { target: away });
    return () => Object.assign(clusters, { target });
  };

  it.each([
    ['before the first step', 0],
    ['between two steps', 1],
  ])('%s of a verification is waited for', async (_when, turns) => {
    const stage = await damaged();
    const leading = await leader(stage);
    await ask(stage, { id: 'v', action: 'verify', args: { mode: 'full' } });
    for (let i = 0; i < turns; i++) await turn(stage, leading);
    const back = cutOff(stage);
    for (let i = 0; i < 5; i++) expect(await turn(stage, leading)).toMatchObject({ id: 'v', state: 'running' });
    back();
    let last = await turn(stage, leading);
    while (last.state === 'running') last = await turn(stage, leading);
    expect(last.details).toMatchObject({ missing: 1, extra: 1, different: 1, checked: 41 });
  });

  it('for minutes ends a repair of all with the reason', async () => {
    const stage = await damaged();
    const leading = await leader(stage);
    await ask(stage, { id: 'r', action: 'repair', args: {} });
    cutOff(stage);
    const { runtime } = stage.made.io;
    let minutes = 0;
    Object.assign(leading.deps, { runtime: { ...runtime, now: () => runtime.now() + minutes * 60_000 } });
    let last = await turn(stage, leading);
    for (; last.state === 'running' && minutes < 20; minutes++) last = await turn(stage, leading);
    expect(last).toMatchObject({
      id: 'r',
      message: expect.stringMatching(/away.*nothing could be verified for 5 min/),
    });
    expect(minutes).toBeGreaterThanOrEqual(5);
  });
});

describe('a cluster that hangs', () => {
  it.each([
    ['a count of both sides', 'verify', {}],
    ['a repair', 'repair', { ids: ['d3'] }],
  ])('does not keep %s from giving way to whoever wants the loop', async (_, action, args) => {
    const stage = await damaged();
    const leading = await leader(stage);
    const interruption = new Interruption(manualRuntime());
    const hangs = (signal: AbortSignal | undefined): Promise<never> => {
      setImmediate(() => interruption.want());
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new CrossfadeError('CLIENT_CLOSED')));
      });
    };
    const { target } = stage.made.io.clusters;
    const hung: Pick<ClusterControl, 'refresh' | 'mget'> = {
      refresh: (_index, options) => hangs(options?.signal),
      mget: ({ signal }) => hangs(signal),
    };
    Object.assign(leading.deps.clusters, { target: { ...target, ...hung } });
    await ask(stage, { id: 'c', action, args });
    await runAsk(leading, stage.made.state, interruption);
    expect(await answer(stage)).toMatchObject({ id: 'c', state: 'running' });
  });
});

describe('documents that keep changing', () => {
  /** Written anew before each look. */
  const busy = (stage: Stage, id: string): void => {
    const { clusters } = stage.made.io;
    const { source } = clusters;
    let n = 0;
    stage.made.put(id, { n: n++ });
    const mget: ClusterControl['mget'] = (get) => {
      stage.made.put(id, { n: n++ });
      return source.mget(get);
    };
    Object.assign(clusters, { source: { ...source, mget } });
  };
  const ended = async (stage: Stage, action: string, args: Record<string, unknown>): Promise<Answer> => {
    const leading = await leader(stage);
    await ask(stage, { id: action, action, args });
    for (;;) {
      const last = await turn(stage, leading);
      if (last.state !== 'running') return last;
    }
  };

  it('are told by a verification, and not counted among those that it found equal', async () => {
    const stage = await damaged();
    await ended(stage, 'repair', { ids: ['d3', 'd5', 'stranger'], force: true });
    busy(stage, 'd7');
    const { message, details } = await ended(stage, 'verify', { mode: 'hash' });
    expect(message).toMatch(/^\d+ documents checked, all equal; \d more could not be compared, they kept changing$/);
    // Nothing accuses them, and a busy index always has some.
    expect(details).toMatchObject({ equal: true, missing: 0, extra: 0, different: 0 });
    expect(details['unstable']).toBeGreaterThan(0);
  });

  it('are told by a repair of all that found nothing else', async () => {
    const stage = await damaged();
    busy(stage, 'd7');
    const { message, details } = await ended(stage, 'repair', { force: true });
    expect(message).toContain('could not be compared');
    expect(details).toMatchObject({ equal: true });
  });
});

describe('a repair', () => {
  const repaired = async (stage: Stage, args: Record<string, unknown>): Promise<Answer> => {
    const leading = await leader(stage);
    await ask(stage, { id: JSON.stringify(args), action: 'repair', args });
    let last = await turn(stage, leading);
    while (last.state === 'running') last = await turn(stage, leading);
    return last;
  };

  it('of an id that somebody else wrote to the follower says that it stays, and is not equal', async () => {
    const stage = await damaged();
    expect(await repaired(stage, { ids: ['d5'] })).toMatchObject({
      state: 'done',
      message: expect.stringMatching(/^1 documents looked at; 1 that somebody else .* stay: repair --force$/),
      details: { equal: false, outcomes: { foreign: 1 } },
    });
    expect(await repaired(stage, { ids: ['d5'], force: true })).toMatchObject({ details: { outcomes: { copied: 1 } } });
  });

  it('names the index of what it could not repair', async () => {
    const stage = await damaged();
    const { target } = stage.made.io.clusters;
    const mget: ClusterControl['mget'] = () => Promise.reject(new CrossfadeError('UPSTREAM_REFUSED', 'not today'));
    Object.assign(stage.made.io.clusters, { target: { ...target, mget } });
    expect((await repaired(stage, { ids: ['d3'] })).details['failed']).toEqual([
      { index: 'p1', id: 'd3', reason: 'not today' },
    ]);
  });

  it('of an id that neither side has says so', async () => {
    const stage = await damaged();
    expect(await repaired(stage, { ids: ['d1', 'nowhere'] })).toMatchObject({
      state: 'done',
      message: '2 documents looked at; 1 are on neither side, looked for without a routing',
      details: { equal: true },
    });
  });

  it('of an id keeps to the routing that is named, and says which one it looked with', async () => {
    const stage = await damaged();
    stage.made.put('d50', { i: 50 }, 'r1');
    const { message } = await repaired(stage, { ids: ['d50', 'nowhere'], routing: 'r1' });
    expect(message).toBe('2 documents looked at; 1 are on neither side, looked for with the routing r1');
    expect(stage.made.pair.target.storage.contents('p2').get('d50')).toMatchObject({ routing: 'r1' });
  });

  it('of all tells a difference that it leaves because the stamps are equal, as after a change of the transform', async () => {
    const stage = await damaged();
    const { storage } = stage.made.pair.target;
    const held = storage.contents('p2').get('d7') as { source: string };
    held.source = '{"i":"by another transform"}';
    const { details, message } = await repaired(stage, {});
    expect(message).toContain('stay: repair --force');
    expect(details).toMatchObject({ equal: false, outcomes: { kept: 1, deleted: 1 } });
  });
});
