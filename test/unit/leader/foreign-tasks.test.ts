import { describe, expect, it } from 'vitest';
import type { WriteTask } from '../../../src/agent/control-answers.ts';
import { createForeignTasks } from '../../../src/agent/leader/foreign-tasks.ts';
import { gateConditions } from '../../../src/agent/leader/gate.ts';
import { gatherGate } from '../../../src/agent/leader/gate-facts.ts';
import { beginLeading, type RouteLeaderDeps } from '../../../src/agent/leader/leading.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { silentLogger } from '../../../src/log.ts';
import { heardFrom } from '../../support/heartbeats.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { controls, fakePair, routeState } from '../agent/route.ts';
import { writeTask as task } from './write-task.ts';

const reindex = (description: string): WriteTask => task(description, { action: 'indices:data/write/reindex' });
const dual = routeState({}, { aliases: ['products'] });

/** Each look at a cluster takes the next answer, and the last one again. */
const looking = (...answers: (WriteTask[] | Error)[]) => {
  let nowMs = 0;
  const asked: string[] = [];
  const on = (side: string) => ({
    listWriteTasks: async (): Promise<WriteTask[]> => {
      const answer = answers[Math.min(asked.push(side), answers.length) - 1] as WriteTask[] | Error;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  const clusters = { source: on('source'), target: on('target') };
  const tasks = createForeignTasks({ clusters, now: () => nowMs });
  const look = (state = dual, maxAgeMs = 0): Promise<number> => tasks.look(state, maxAgeMs);
  return { look, asked, pass: (ms: number) => void (nowMs += ms) };
};

describe('a by-query or reindex past the sidecars', () => {
  it.each([
    ['into the index', reindex('reindex from [a] to [p1]'), 1],
    ['over the index', task('update-by-query [p1]'), 1],
    ['over an alias of the application', task('delete-by-query [products]'), 1],
    ['out of the index', reindex('reindex from [p1] to [backup]'), 0],
    ['that a sidecar sent', task('update-by-query [crossfade-products-e1]'), 0],
    ['over another index', task('update-by-query [p10]'), 0],
    ['which is a part of another', task('update-by-query [p1]', { parent: 'n:0' }), 0],
  ])('counts only where it writes to the index: %s', async (_title, one, count) => {
    expect(await looking([one]).look()).toBe(count);
  });

  it('is looked for on the side that has the authority', async () => {
    const { look, asked } = looking([task('update-by-query [p2]')]);
    expect(await look(routeState({ phase: 'target', epoch: 4, reign: 2 }))).toBe(1);
    expect(asked).toEqual(['target']);
  });

  it('is looked for again only when the last look is too old', async () => {
    const { look, asked, pass } = looking([task('update-by-query [p1]')], []);
    expect([await look(), await look(dual, 5_000)]).toEqual([1, 1]);
    pass(5_000);
    expect(await look(dual, 5_000)).toBe(0);
    expect(asked).toHaveLength(2);
  });

  it('runs until the cluster says that it is over', async () => {
    const { look } = looking([task('update-by-query [p1]')], new CrossfadeError('UPSTREAM_TIMEOUT'), []);
    expect([await look(), await look(), await look()]).toEqual([1, 1, 0]);
  });

  it('is not asked for each time of a cluster that does not tell', async () => {
    const denied = new CrossfadeError('UPSTREAM_REFUSED', '', { details: { upstreamStatus: 403 } });
    const { look, asked, pass } = looking(denied);
    expect([await look(), await look()]).toEqual([0, 0]);
    expect(asked).toHaveLength(1);
    pass(600_000);
    await look();
    expect(asked).toHaveLength(2);
  });
});

it('a task past the sidecars bars a switch, and the gate says so beforehand', async () => {
  const clusters = controls(fakePair(dual));
  clusters.source.listWriteTasks = async () => [reindex('reindex from [a] to [p1]')];
  const leading = await beginLeading({
    slug: dual.slug,
    member: 'a',
    store: new MemoryStore(),
    clusters,
    members: { view: () => heardFrom({}) },
    runtime: manualRuntime(),
    clock: () => '2026-01-01T00:00:00.000Z',
    logger: silentLogger(),
    state: () => dual,
  } as unknown as RouteLeaderDeps);
  const row = gateConditions('cutover', await gatherGate(leading, dual)).find(({ condition }) =>
    condition.startsWith('no by-query'),
  );
  expect(row).toMatchObject({ ok: false, value: '1 at no sidecar' });
});
