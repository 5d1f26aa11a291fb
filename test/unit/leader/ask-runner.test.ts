import { describe, expect, it } from 'vitest';
import { runAsk } from '../../../src/agent/leader/ask-runner.ts';
import { brakeAfter, released, rests } from '../../../src/agent/leader/brake.ts';
import { Interruption } from '../../../src/agent/leader/interruption.ts';
import { createJobStore } from '../../../src/agent/leader/job-state.ts';
import { createJournal } from '../../../src/agent/leader/journal.ts';
import { createPhaseWriter } from '../../../src/agent/leader/phase-writer.ts';
import type { Leading } from '../../../src/agent/leader/leading.ts';
import { answerTo } from '../../../src/coordination/ask-answers.ts';
import { keys } from '../../../src/coordination/keys.ts';
import type { Bucket } from '../../../src/coordination/ports.ts';
import { AskResult, type Phase } from '../../../src/coordination/records.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { silentLogger } from '../../../src/log.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { heardFrom, memberLine } from '../../support/heartbeats.ts';
import { routeState } from '../agent/route.ts';
import { hastyRuntime, manualRuntime } from '../../support/manual-runtime.ts';

const slug = 'products';
const clock = (): string => '2026-01-01T00:00:00.000Z';
const now = (): number => 0;

/** Takes the first write of the leader's state, and says that nobody knows whether it did. */
const forgetfulOnce = (bucket: Bucket): Bucket => {
  let forgot = false;
  const update: Bucket['update'] = async (key, value, expected) => {
    const result = await bucket.update(key, value, expected);
    if (forgot || key !== keys.job(slug, 'state')) return result;
    forgot = true;
    return { ok: false, reason: 'unknown' };
  };
  return {
    get: (key) => bucket.get(key),
    list: (prefix) => bucket.list(prefix),
    put: (key, value) => bucket.put(key, value),
    delete: (key, expected) => bucket.delete(key, expected),
    subscribe: (listener) => bucket.subscribe(listener),
    update,
  };
};

const leadingOver = async (bucket: Bucket, deps: object = {}): Promise<Leading> => {
  const job = createJobStore(bucket, slug);
  await job.load();
  return {
    deps: { slug, logger: silentLogger(), runtime: manualRuntime(), ...deps },
    brake: released,
    job,
    journal: createJournal({ bucket, slug, by: 'gateway-0', clock, now }),
    writer: createPhaseWriter({ bucket, slug, by: 'gateway-0', clock, now }),
  } as unknown as Leading;
};

const askFor = (bucket: Bucket, id: string, action = 'pause', phase?: Phase): Promise<number> =>
  bucket.put(keys.ask(slug), JSON.stringify({ schema: 1, id, by: 'ops', reason: '', at: clock(), action, phase }));

const answerIn = async (bucket: Bucket): Promise<{ id: string; state: string }> =>
  JSON.parse((await bucket.get(keys.job(slug, 'ask')))?.value ?? '{}');

describe('an ask whose saving ended with nobody knowing whether it did', () => {
  it('is answered and ends the term of its leader, so that the next ask does not fail on the old revision', async () => {
    const bucket = forgetfulOnce(new MemoryBucket());
    await askFor(bucket, 'one');
    const ran = runAsk(await leadingOver(bucket), routeState(), new Interruption(manualRuntime()));
    await expect(ran).rejects.toMatchObject({ code: 'STORE_OUTCOME_UNKNOWN' });
    expect(await answerIn(bucket)).toMatchObject({ id: 'one', state: 'failed' });

    await askFor(bucket, 'two');
    await runAsk(await leadingOver(bucket), routeState(), new Interruption(manualRuntime()));
    expect(await answerIn(bucket)).toMatchObject({ id: 'two', state: 'done' });
  });
});

describe('an ask that takes the place of one whose leader died', () => {
  it('leaves that one with an answer too', async () => {
    const bucket = new MemoryBucket();
    const details = { phase: 'dual', epoch: 3, reign: 1, action: 'advance' };
    const begun = { schema: 1, id: 'one', state: 'running', message: '', at: clock(), details };
    await bucket.put(keys.job(slug, 'ask'), JSON.stringify(begun));
    await askFor(bucket, 'two');
    await runAsk(await leadingOver(bucket), routeState(), new Interruption(manualRuntime()));
    const standing = AskResult.parse(await answerIn(bucket));
    expect(['one', 'two'].map((id) => answerTo(standing, id)?.state)).toEqual(['done', 'done']);
    expect(answerTo(standing, 'one')?.message).toBe('phase off, reached by the leader before');
  });
});

describe('two asks, the second before anybody has looked for the answer to the first', () => {
  it('both have an answer that can be found', async () => {
    const bucket = new MemoryBucket();
    const leading = await leadingOver(bucket);
    for (const id of ['one', 'two']) {
      await askFor(bucket, id);
      await runAsk(leading, routeState(), new Interruption(manualRuntime()));
    }
    const standing = AskResult.parse(await answerIn(bucket));
    expect(['one', 'two'].map((id) => answerTo(standing, id)?.state)).toEqual(['done', 'done']);
    expect(answerTo(standing, 'three')).toBeUndefined();
  });
});

describe('finalize', () => {
  /** A route in `phase` whose clusters answer a write block with `status`; the members are all in phase. */
  const finalizing = async (phase: Phase, status: number) => {
    const bucket = new MemoryBucket();
    const state = routeState({ phase, epoch: 4, reign: 2 });
    await bucket.put(keys.phase(slug), JSON.stringify(state.phase));
    const blocked: string[] = [];
    const json = async (_: string, path: string) => {
      blocked.push(path);
      return { status, body: {} };
    };
    const line = memberLine({ phase, epoch: 4, reign: 2, phaseRevision: 1 });
    const deps = {
      state: () => ({ ...state, phaseRevision: 1 }),
      clusters: { source: { json }, target: { json } },
      members: { view: () => heardFrom({ a: { [slug]: line } }), onChange: () => () => undefined },
    };
    const leading = await leadingOver(bucket, deps);
    await askFor(bucket, 'one', 'finalize');
    await runAsk(leading, state, new Interruption(manualRuntime()));
    return { answer: await answerIn(bucket), blocked };
  };

  it('blocks the source again when it is repeated, because an earlier try may have ended before that', async () => {
    const { answer, blocked } = await finalizing('final', 200);
    expect(answer).toMatchObject({ state: 'done' });
    expect(blocked).toEqual(['/p1/_settings']);
  });

  it('is not done when it is repeated and the source does not take the block', async () => {
    const { answer } = await finalizing('final', 403);
    expect(answer).toMatchObject({ state: 'failed', code: 'GATE_REFUSED' });
  });

  it('is refused while the last switch has not come to its end', async () => {
    const { answer, blocked } = await finalizing('target', 200);
    expect(answer).toMatchObject({
      state: 'refused',
      code: 'GATE_REFUSED',
      message: expect.stringContaining('aliases'),
    });
    expect(blocked).toEqual([]);
  });
});

describe('what was confirmed for one step', () => {
  it.each<['advance' | 'rollback', Phase, Phase]>([
    ['advance', 'observe', 'dual'],
    ['rollback', 'dual', 'target'],
  ])('is refused when the route has moved on, as another one would be a switch: %s from %s', async (...asked) => {
    const [action, from, phase] = asked;
    const bucket = new MemoryBucket();
    const state = routeState({ phase, epoch: 4 });
    await bucket.put(keys.phase(slug), JSON.stringify(state.phase));
    const leading = await leadingOver(bucket, { state: () => ({ ...state, phaseRevision: 1 }) });
    await askFor(bucket, 'one', action, from);
    await runAsk(leading, state, new Interruption(manualRuntime()));
    expect(await answerIn(bucket)).toMatchObject({
      state: 'refused',
      code: 'PHASE_REFUSED',
      message: expect.stringContaining(`in ${phase} by now`),
    });
  });
});

describe('a finalize whose members do not move on', () => {
  it('has failed and refused nothing, as the phase is final', async () => {
    const bucket = new MemoryBucket();
    const state = routeState({ phase: 'final', epoch: 4 });
    await bucket.put(keys.phase(slug), JSON.stringify(state.phase));
    const view = heardFrom({
      a: { [slug]: memberLine({ phase: 'final', epoch: 4, phaseRevision: 1, drained: false }) },
    });
    const members = { view: () => view, refresh: async () => undefined, onChange: () => () => undefined };
    const deps = { state: () => ({ ...state, phaseRevision: 1 }), members, runtime: hastyRuntime() };
    await askFor(bucket, 'one', 'finalize');
    await runAsk(await leadingOver(bucket, deps), state, new Interruption(manualRuntime()));
    expect(await answerIn(bucket)).toMatchObject({
      state: 'failed',
      code: 'GATE_REFUSED',
      message: expect.stringContaining('the phase is final, but the source stays writable'),
    });
  });
});

describe('the brake in target', () => {
  it('rests longer after each rollback that held the writes and was given up, up to a minute', () => {
    let brake = released;
    for (const restMs of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
      brake = brakeAfter(brake, 'aborted', 1_000);
      expect([rests(brake, 1_000 + restMs - 1), rests(brake, 1_000 + restMs)]).toEqual([true, false]);
      expect(brakeAfter(brake, 'refused', 999_000)).toBe(brake);
    }
    expect(brakeAfter(brake, 'done', 1_000)).toBe(released);
    expect(rests(released, 0)).toBe(false);
  });

  it('is not tried again before it has rested, and forgets all of it when it is let go', async () => {
    const bucket = new MemoryBucket();
    const leading = await leadingOver(bucket);
    leading.brake = { givenUp: 2, triedAtMs: 0 };
    const interruption = new Interruption(manualRuntime());
    const state = { ...routeState({ phase: 'target', epoch: 4, reign: 2 }), stop: true };
    await runAsk(leading, state, interruption);
    expect(leading.brake.givenUp).toBe(2);
    await runAsk(leading, { ...state, stop: false }, interruption);
    expect(leading.brake.givenUp).toBe(0);
    await runAsk(leading, state, interruption);
    expect(leading.brake.givenUp).toBe(1);
  });

  it('counts a rollback that fails before the hold, and keeps no ask waiting for it', async () => {
    const bucket = new MemoryBucket();
    const members = {
      view: () => {
        throw new CrossfadeError('UPSTREAM_TIMEOUT');
      },
    };
    const state = { ...routeState({ phase: 'target', epoch: 4, reign: 2 }), stop: true };
    const leading = await leadingOver(bucket, { state: () => state, members });
    await askFor(bucket, 'one');
    await runAsk(leading, state, new Interruption(manualRuntime()));
    expect(leading.brake.givenUp).toBe(1);
    expect(await answerIn(bucket)).toMatchObject({ id: 'one', state: 'done' });
  });

  it('ends the term of a leader that no longer knows what the store holds', async () => {
    const members = {
      view: () => {
        throw new CrossfadeError('STORE_CONFLICT');
      },
    };
    const state = { ...routeState({ phase: 'target', epoch: 4, reign: 2 }), stop: true };
    const leading = await leadingOver(new MemoryBucket(), { state: () => state, members });
    const ran = runAsk(leading, state, new Interruption(manualRuntime()));
    await expect(ran).rejects.toMatchObject({ code: 'STORE_CONFLICT' });
  });
});
