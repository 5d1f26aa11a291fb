/**
 * kill -9 of the leader in the middle of a verification: its successor goes on where the last stored step ended, and who
 * waits gets one whole list, of what was found before the death and after it. The work is paused and no client writes, so that
 * nothing mends what the test has spoiled.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { remaining, VerifyState } from '../../src/agent/verify-state.ts';
import { keys } from '../../src/coordination/keys.ts';
import { exitCode } from '../../src/exit-codes.ts';
import { kvGet, withNats } from '../integration/coordination/nats-admin.ts';
import { must } from '../support/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import { services } from '../support/services.ts';
import { call } from './documents.ts';
import { buildWorld, type World } from './world.ts';

const more = 3_000;
const spoilt = { missing: [0, 1_500, 2_999], different: [3, 1_503, 2_996], extra: [5_000, 5_001] };
const wrong = Object.entries(spoilt).flatMap(([kind, numbers]) => numbers.map((n) => `${kind} more-${n}`));

let world: World;
beforeAll(async () => {
  world = await buildWorld({ agents: 2, more, route: { backfill: { chunkDocs: 500, maxPageDocs: 50 } } });
});
afterAll(() => world?.close());

/** On the follower, by a hand that knows nothing of stamps. */
const spoil = async (): Promise<void> => {
  const { targetUrl } = await services();
  const { missing, different, extra } = spoilt;
  const put = (n: number) => [{ index: { _id: `more-${n}` } }, { value: 'spoilt' }];
  const lines = [...missing.map((n) => ({ delete: { _id: `more-${n}` } })), ...[...different, ...extra].flatMap(put)];
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await call(`${targetUrl}/${world.names.target}/_bulk?refresh=true`, 'POST', body);
};

const walked = async (): Promise<VerifyState | undefined> => {
  const { natsUrl } = await services();
  const text = await withNats(natsUrl, (nats) => kvGet(nats, world.slug, keys.job(world.slug, 'verify')));
  return text === undefined ? undefined : VerifyState.parse((JSON.parse(text) as { state: unknown }).state);
};
/** Some of what is wrong was found, and some is still ahead. */
const isHalfway = async (): Promise<boolean> => {
  const state = await walked();
  return state !== undefined && state.findings.length > 0 && remaining(state.walks) > state.total / 4;
};

type Answer = { state: string; details: Record<string, unknown> & { findings: { kind: string; id: string }[] } };

test('a verification whose leader is killed half way ends with one whole list, and nothing counted twice', async () => {
  await world.until((now) => now.safeToAdvance.ok, 'a settled route');
  await world.load.stop();
  await world.until((now) => now.safeToAdvance.ok, 'equal sides');
  await must(world.cli('pause', world.slug, '--wait', '--yes'));
  await spoil();
  await must(world.cli('route', 'set', `${world.slug}.rate`, '200'));
  const ended = world.cli('verify', world.slug, '--mode', 'full', '--wait', '--json');
  await eventually(isHalfway, { timeoutMs: 90_000, everyMs: 100, what: 'a verification half way' });
  const { leader: victim } = await world.status();
  await world.kill(world.named(victim!));
  expect(remaining((await walked())!.walks)).toBeGreaterThan(0);
  await must(world.cli('route', 'set', `${world.slug}.rate`, '20000'));
  const { exit, out, err } = await ended;
  expect([exit, err]).toEqual([exitCode('different'), expect.anything()]);
  const { state, details } = JSON.parse(out) as Answer;
  expect(state).toBe('done');
  expect(details.findings.map(({ kind, id }) => `${kind} ${id}`).sort()).toEqual([...wrong].sort());
  expect(details).toMatchObject({ equal: false, missing: 3, different: 3, extra: 2, unstable: 0 });
  const { count } = (await call(`${(await services()).sourceUrl}/${world.names.source}/_count`, 'GET')) as {
    count: number;
  };
  expect(details['checked']).toBe(count + spoilt.extra.length);
  expect((await world.status()).leader).not.toBe(victim);
}, 300_000);
