/** Clusters that apply a write and never say so, refuse, hang and reset, behind a relay that does it on demand. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SwitchPoint, switchPoints } from '../../src/agent/leader/switch.ts';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import { type Asked, type Fault, type Relay, startRelay } from './relay.ts';
import { answersAll, standAt, unnoticed } from './standing.ts';
import { buildWorld, type World } from './world.ts';

let source: Relay;
let target: Relay;
let world: World;
beforeAll(async () => {
  const urls = await services();
  source = await startRelay(urls.sourceUrl);
  target = await startRelay(urls.targetUrl);
  // Some switches are given up only when their time is used up.
  const route = { cutover: { budgetMs: 6_000 } };
  world = await buildWorld({ sourceUrl: source.url, targetUrl: target.url, route });
});
afterAll(async () => {
  await world?.close();
  await Promise.all([source.close(), target.close()]);
});

const isWrite = ({ method, path }: Asked): boolean => method !== 'GET' && /\/_(doc|update|bulk)\b/.test(path);
const everyThird = (fault: Fault): ((asked: Asked) => Fault | undefined) => {
  let seen = 0;
  return (asked) => (isWrite(asked) && seen++ % 3 === 0 ? fault : undefined);
};
const always = (fault: Fault) => (asked: Asked) => (isWrite(asked) ? fault : undefined);

test('a source that applies writes and drops its answers makes clients doubt, and the target learns of all of them', async () => {
  await world.load.acknowledges(60);
  source.misbehave(everyThird({ kind: 'drop-answer' }));
  await eventually(() => source.faults() >= 25, { timeoutMs: 30_000, what: 'answers to be dropped' });
  source.behave();
  await world.load.acknowledges(60);
  const { '502 UPSTREAM_RESET': doubted = 0 } = world.recorder.refusals();
  expect(doubted).toBeGreaterThan(10);
}, 60_000);

const silences: [string, Fault][] = [
  ['hangs', { kind: 'hang' }],
  ['resets connections', { kind: 'reset' }],
];
test.each(silences)(
  'clients do not notice a follower that %s',
  async (_what, fault) => {
    const from = world.recorder.operations.length;
    const before = target.faults();
    target.misbehave(always(fault));
    await eventually(() => target.faults() > before, { what: 'the follower to be asked' });
    await world.load.acknowledges(100);
    await answersAll(world);
    target.behave();
    expect(unnoticed(world, from)).toEqual([]);
  },
  60_000,
);

type Refusal = { what: string; refuses: (asked: Asked) => boolean; status: number; from: SwitchPoint; reason: RegExp };
const refusals: Refusal[] = [
  { what: 'copies', refuses: isWrite, status: 400, from: 'prepared', reason: /the tail did not reach the checkpoint/ },
  { what: 'copies', refuses: isWrite, status: 403, from: 'prepared', reason: /members not drained: agent-/ },
  { what: 'copies', refuses: isWrite, status: 429, from: 'prepared', reason: /members not drained: agent-/ },
  { what: 'everything', refuses: () => true, status: 403, from: 'drained', reason: /relay_refusal/ },
];
test.each(refusals)(
  'a switch whose target answers $what with $status is given up for that reason, and clients do not notice',
  async ({ refuses, status, from, reason }) => {
    const { goOn, ended } = await standAt(world, { at: from, ask: ['advance'] });
    const since = world.recorder.operations.length;
    const before = target.faults();
    target.misbehave((asked) => (refuses(asked) ? { kind: 'answer', status } : undefined));
    if (from === 'prepared') await eventually(() => target.faults() > before, { what: 'a copy to be refused' });
    goOn();
    const { exit, out, err } = await ended;
    await world.load.acknowledges(60);
    await answersAll(world);
    target.behave();
    expect(exit).not.toBe(0);
    expect(out + err).toMatch(reason);
    await world.until(({ phase, hold }) => phase === 'dual' && hold === null, 'the writes to be given back');
    expect(unnoticed(world, since)).toEqual([]);
  },
  120_000,
);

type Step = SwitchPoint | 'asked';
/** The leader asks for most of this all the time; what counts is what it asks for inside of a switch. */
const belongsTo = (step: Step, kind: string): boolean =>
  step === 'asked' ? kind === '_aliases' : step !== 'released' && step !== 'settled';

/** Each kind of control request loses its answer once per step; what was lost once passes from then on. */
test('a cutover comes to its end although clusters do what its steps ask for and never say so', async () => {
  // Without the ledger's word the switch takes the longer way.
  await world.cli('route', 'set', `${world.slug}.pct.write`, '50');
  const lost = new Set<string>();
  let step: Step = 'asked';
  const forgetful = (asked: Asked): Fault | undefined => {
    const [kind] = /_(aliases|refresh|stats|count|tasks)\b/.exec(asked.path) ?? [];
    if (kind === undefined || !belongsTo(step, kind) || lost.has(`${step} ${kind}`)) return undefined;
    lost.add(`${step} ${kind}`);
    return { kind: 'drop-answer' };
  };
  const attempt = async (): Promise<number> => {
    await world.until(({ safeToAdvance }) => safeToAdvance.ok, 'the gate to open');
    step = 'asked';
    for (const point of switchPoints)
      void world.standsAt(point).then(({ goOn }) => {
        step = point;
        goOn();
      });
    source.misbehave(forgetful);
    target.misbehave(forgetful);
    const { exit } = await world.cli('advance', world.slug, '--wait', '--yes');
    source.behave();
    target.behave();
    return exit;
  };
  const exits = [await attempt()];
  while (exits.at(-1) !== 0 && exits.length < 25) exits.push(await attempt());
  expect(exits.at(-1), `${exits.join()} ${[...lost].join()}`).toBe(0);
  const inHold = ['drained _stats', 'drained _aliases', 'fenced _tasks', 'fenced _count', 'fenced _refresh'];
  expect([...lost]).toEqual(expect.arrayContaining(['asked _aliases', ...inHold]));
}, 400_000);

test('both sides are equal once the clusters behave, and a rollback succeeds', async () => {
  await world.cli('route', 'set', `${world.slug}.pct.write`, '100');
  expect((await world.switchTo('dual')).phase).toBe('dual');
  await world.load.acknowledges(60);
  expect(await world.verdict()).toEqual([]);
}, 150_000);
