import { describe, expect, it } from 'vitest';
import { runAsk } from '../../../src/agent/leader/ask-runner.ts';
import { Interruption } from '../../../src/agent/leader/interruption.ts';
import { createJobStore } from '../../../src/agent/leader/job-state.ts';
import { createJournal } from '../../../src/agent/leader/journal.ts';
import { createPhaseWriter } from '../../../src/agent/leader/phase-writer.ts';
import type { Leading } from '../../../src/agent/leader/leading.ts';
import { answerTo } from '../../../src/coordination/ask-answers.ts';
import { keys } from '../../../src/coordination/keys.ts';
import type { Bucket } from '../../../src/coordination/ports.ts';
import { AskResult } from '../../../src/coordination/records.ts';
import { silentLogger } from '../../../src/log.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { routeState } from '../agent/route.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';

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

const leadingOver = async (bucket: Bucket): Promise<Leading> => {
  const job = createJobStore(bucket, slug);
  await job.load();
  return {
    deps: { slug, logger: silentLogger() },
    job,
    journal: createJournal({ bucket, slug, by: 'gateway-0', clock, now }),
    writer: createPhaseWriter({ bucket, slug, by: 'gateway-0', clock, now }),
  } as unknown as Leading;
};

const askFor = (bucket: Bucket, id: string): Promise<number> =>
  bucket.put(keys.ask(slug), JSON.stringify({ schema: 1, id, by: 'ops', reason: '', at: clock(), action: 'pause' }));

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
