/**
 * A follower that is away for a while at full load: three agents, clients that never pause, a relay that resets every
 * request to the target. Prints how long after its return the tail has caught up and no copy is pending, how many copies
 * were dropped and told, what clients noticed, and what is wrong at rest.
 * `node bench/outage.ts [--seconds 60] [--writesPerSecond 300]`; services as in the tests.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import setUpServices from '../test/support/global-setup.ts';
import { startRelay } from '../test/fault/relay.ts';
import { buildWorld } from '../test/fault/world.ts';
import { services } from '../test/support/services.ts';
import type { RouteStatus } from '../src/fleet/fleet-status.ts';
import { keepReport, table } from './lib/report.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, writesPerSecond: { type: 'string', default: '300' } },
});
const tearDown = await setUpServices();
const relay = await startRelay((await services()).targetUrl);
const world = await buildWorld({ targetUrl: relay.url, perSecond: Number(values.writesPerSecond) });
try {
  await world.until(({ safeToAdvance }) => safeToAdvance.ok, 'the gate to open');
  const from = world.recorder.operations.length;
  process.stdout.write(`the target is away for ${values.seconds} s\n`);
  relay.misbehave(() => ({ kind: 'reset' }));
  await delay(Number(values.seconds) * 1000);
  const during = await world.status();
  relay.behave();
  const back = performance.now();
  /** The status may be of before the return, so the target must be healthy in it. */
  const isCaughtUp = ({ tail, copies, gate, sweep }: RouteStatus): boolean =>
    gate.some(({ condition, ok }) => condition === 'target healthy' && ok) &&
    tail.lagSeconds === 0 &&
    copies.oldestPendingMs < 2000 &&
    sweep?.state !== 'needed' &&
    sweep?.state !== 'running';
  const after = await world.until(isCaughtUp, 'the target to be caught up');
  const caughtUpSeconds = (performance.now() - back) / 1000;
  const refused = world.recorder.refusals(from);
  const written = world.recorder.operations.length - from;
  const wrong = await world.verdict();
  const row = {
    'away s': values.seconds,
    writes: String(written),
    'pending at its end': String(during.copies.pending),
    'dropped, told': String(after.copies.dropped),
    'caught up after s': caughtUpSeconds.toFixed(1),
    'refused to clients': JSON.stringify(refused),
    'wrong at rest': String(wrong.length),
  };
  process.stdout.write(`${table([row])}\n${wrong.slice(0, 10).join('\n')}\n`);
  process.stdout.write(`kept in ${keepReport({ name: 'outage', rows: [row], ratios: {}, raw: { during, after } })}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await world.close();
  await relay.close();
  await tearDown();
}
process.exit();
