/**
 * kill -9 of a whole cluster under load, first between switches and then in the middle of them; it comes back on the data
 * that it had. Two routes run over it in opposite directions, so each kill takes the source of one and the target of the
 * other.
 */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SwitchPoint } from '../../src/agent/leader/switch.ts';
import { whyNoOldCluster } from '../support/services/embedded.ts';
import { services, startOpenSearch } from '../support/services.ts';
import { answersAll, standAt, type Stood, unnoticed } from './standing.ts';
import { buildWorld, type World } from './world.ts';

const missing = await whyNoOldCluster();
const reason = missing === undefined ? '' : ` (skipped: ${missing})`;
/** Clients wait for what a switch that stands still holds back. */
const patienceMs = 60_000;

let mortal: Awaited<ReturnType<typeof startOpenSearch>>;
const start = async (at: { dir?: string; port?: number } = {}): Promise<void> => {
  mortal = await startOpenSearch({ name: 'mortal', heapMb: 512, briefly: true, ...at });
};
const kill = async (): Promise<void> => {
  process.kill(mortal.pid, 'SIGKILL');
  await mortal.stop();
};
const restart = (): Promise<void> => start({ dir: mortal.dir, port: Number(new URL(mortal.url).port) });

describe.skipIf(missing !== undefined)(`a cluster killed under load${reason}`, () => {
  /** The mortal cluster is the source of the first route and the target of the second. */
  let fromIt: World;
  let toIt: World;
  beforeAll(async () => {
    const [{ targetUrl: lasting }] = await Promise.all([services(), start()]);
    const route = { cutover: { budgetMs: 30_000 } };
    [fromIt, toIt] = await Promise.all([
      buildWorld({ clusters: { sourceUrl: mortal.url, targetUrl: lasting }, route, patienceMs }),
      buildWorld({ clusters: { sourceUrl: lasting, targetUrl: mortal.url }, route, patienceMs }),
    ]);
  }, 400_000);
  afterAll(async () => {
    await Promise.all([fromIt?.close(), toIt?.close()]);
    await mortal?.stop();
    if (mortal !== undefined) rmSync(mortal.dir, { recursive: true, force: true });
  });
  const bothOpen = () =>
    Promise.all([fromIt, toIt].map((world) => world.until((now) => now.safeToAdvance.ok, 'the gate to open')));
  const barred = (world: World, what: RegExp) =>
    world.until(
      ({ safeToAdvance }) => safeToAdvance.reasons.some((text) => what.test(text)),
      `a gate that says ${what}`,
    );

  test('clients of the living side notice nothing, those of the dead one are told, and both routes catch up', async () => {
    await bothOpen();
    const from = toIt.recorder.operations.length;
    await kill();
    await toIt.load.acknowledges(100);
    await Promise.all([barred(fromIt, /source healthy: unreachable/), barred(toIt, /target healthy: unreachable/)]);
    await answersAll(toIt);
    await restart();
    await bothOpen();
    expect(unnoticed(toIt, from)).toEqual([]);
    expect(fromIt.recorder.refusals()).toHaveProperty('503 UPSTREAM_UNREACHABLE');
  }, 300_000);

  /** Both stand in front of the hold before either goes on, so that no client waits for the other route. */
  const standBoth = async (first: SwitchPoint, second: SwitchPoint): Promise<[Stood, Stood]> => {
    const ask = ['advance'];
    const prepared = await Promise.all([fromIt, toIt].map((world) => standAt(world, { at: 'prepared', ask })));
    const [one, other] = [fromIt.standsAt(first), toIt.standsAt(second)];
    for (const { goOn } of prepared) goOn();
    const [{ ended }, { ended: otherEnded }] = prepared as [Stood, Stood];
    return [
      { ...(await one), ended },
      { ...(await other), ended: otherEnded },
    ];
  };

  test('a cutover whose source dies after the proof is committed, and one whose target dies before it is given up', async () => {
    const from = [fromIt, toIt].map(({ recorder }) => recorder.operations.length);
    const stood = await standBoth('proven', 'drained');
    await kill();
    for (const { goOn } of stood) goOn();
    const [committed, given] = await Promise.all(stood.map(({ ended }) => ended));
    expect(committed?.exit, committed?.err).toBe(0);
    expect(given?.exit, given?.out).not.toBe(0);
    const { phase, lastCutover } = await toIt.until((now) => now.lastCutover !== null, 'the report of the switch');
    expect({ phase, lastCutover }).toMatchObject({
      phase: 'dual',
      lastCutover: { kind: 'cutover', result: 'failed', reason: expect.stringMatching(/connection/) },
    });
    await Promise.all([fromIt, toIt].map((world) => world.load.acknowledges(100)));
    await answersAll([fromIt, toIt]);
    expect((await fromIt.status()).phase).toBe('target');
    expect([fromIt, toIt].flatMap((world, i) => unnoticed(world, from[i]!))).toEqual([]);
  }, 300_000);

  test('once it is back both routes switch on, and nothing acknowledged is lost, returned or repeated', async () => {
    await restart();
    expect(await Promise.all([fromIt.switchTo('dual'), toIt.switchTo('target')])).toMatchObject([
      { phase: 'dual', reign: 3 },
      { phase: 'target', reign: 2 },
    ]);
    await Promise.all([fromIt, toIt].map((world) => world.load.acknowledges(60)));
    expect(await Promise.all([fromIt.verdict(), toIt.verdict()])).toEqual([[], []]);
  }, 300_000);
});
