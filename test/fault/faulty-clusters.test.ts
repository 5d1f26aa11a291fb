/** Clusters that apply a write and never say so, refuse, hang and reset, behind a relay that does it on demand. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import { type Asked, type Fault, type Relay, startRelay } from './relay.ts';
import { buildWorld, type World } from './world.ts';

let source: Relay;
let target: Relay;
let world: World;
beforeAll(async () => {
  const urls = await services();
  source = await startRelay(urls.sourceUrl);
  target = await startRelay(urls.targetUrl);
  world = await buildWorld({ sourceUrl: source.url, targetUrl: target.url });
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

const refusals: [string, Fault][] = [
  ['answers 429', { kind: 'answer', status: 429 }],
  ['answers 403', { kind: 'answer', status: 403 }],
  ['hangs', { kind: 'hang' }],
  ['resets connections', { kind: 'reset' }],
];
test.each(refusals)(
  'clients do not notice a follower that %s',
  async (_what, fault) => {
    const from = world.recorder.operations.length;
    const before = target.faults();
    target.misbehave(always(fault));
    await eventually(() => target.faults() > before, { what: 'the follower to be asked' });
    await world.load.acknowledges(100);
    target.behave();
    const refused = Object.keys(world.recorder.refusals(from));
    expect(refused.filter((answer) => answer !== 'none' && answer !== '409')).toEqual([]);
  },
  60_000,
);

test('both sides are equal once the clusters behave, and a cutover succeeds', async () => {
  expect((await world.switchTo('target')).phase).toBe('target');
  await world.load.acknowledges(60);
  expect(await world.verdict()).toEqual([]);
}, 150_000);
