/**
 * The walk of the demo through a whole migration under live load, each step with the claims that a user would want to
 * see proven: observe, dual write and backfill, shadow reads, a ramp of reads, the brake, the cutover, the way back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Load, untouched } from './load.ts';
import { claim, heading, progressLine, say } from './report.ts';
import { type Status, slug, type World } from './world.ts';

const reads = async (world: World, side: string): Promise<number> => {
  const families = ['search', 'get'];
  const counts = await Promise.all(
    families.map((family) => world.metric('crossfade_requests_total', { family, side })),
  );
  return counts.reduce((a, b) => a + b, 0);
};

/** S8 and S9 are scores and cosmetics, which differ between any two indices. */
const mismatches = ['S0', 'S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7'];

const sumBySeverity = async (world: World, severities: readonly string[]): Promise<number> => {
  const counts = await Promise.all(
    severities.map((severity) => world.metric('crossfade_shadow_compared_total', { severity })),
  );
  return counts.reduce((a, b) => a + b, 0);
};

const showProgress = async (world: World, load: Load, readPercent: number, phase: string): Promise<void> => {
  const compared = await world.metric('crossfade_shadow_compared_total');
  const mismatched = await sumBySeverity(world, mismatches);
  const pending = await world.metric('crossfade_copies_pending');
  progressLine({ ...load.window(), pending, compared, mismatched, readPercent, phase });
};

const live = async (world: World, load: Load, seconds: number, readPercent = 0): Promise<void> => {
  const { phase } = await world.status();
  for (let i = 0; i < seconds; i++) {
    await delay(1000);
    await showProgress(world, load, readPercent, phase);
  }
};

/** Asks every half second until `holds`, showing progress; false when the time is up. */
const until = async (
  world: World,
  load: Load,
  holds: (status: Status) => boolean,
  timeoutSeconds: number,
): Promise<Status> => {
  const deadline = performance.now() + timeoutSeconds * 1000;
  for (;;) {
    const status = await world.status();
    if (holds(status) || performance.now() > deadline) return status;
    await showProgress(world, load, status.percent.read, status.phase);
    await delay(500);
  }
};

const command = async (world: World, ...args: string[]): Promise<boolean> => {
  say(`   $ crossfade ${args.join(' ').replace('ROUTE_FILE', 'route.json')}`);
  const { code, stdout, stderr } = await world.cli(...args);
  if (code !== 0) say(`   exit ${code}: ${stdout}${stderr}`);
  return code === 0;
};

export const observe = async (world: World, load: Load): Promise<void> => {
  heading('observe: traffic is classified, everything goes where it went before');
  claim('the route file is accepted', await command(world, 'apply', '-f', 'ROUTE_FILE'));
  claim('both sidecars move to observe', await command(world, 'phase', slug, 'observe'));
  await live(world, load, 3);
  claim('no read has reached the target', (await reads(world, 'target')) === 0);
  untouched(load);
};

export const dualWrite = async (world: World, load: Load): Promise<void> => {
  heading('dual: each write is copied, old documents are filled in');
  claim('both sidecars move to dual', await command(world, 'phase', slug, 'dual'));
  const status = await until(world, load, ({ backfill }) => backfill?.state === 'done', 60);
  claim('the backfill is complete', status.backfill?.state === 'done', `${status.backfill?.docs ?? 0} documents`);
  await live(world, load, 3);
  const copied = await world.metric('crossfade_copies_total', { result: 'applied' });
  claim('writes are copied to the target', copied > 0, `${copied} copies`);
  claim('no copy was dropped or refused', status.copies.dropped + status.copies.quarantined === 0);
  untouched(load);
};

/** What differs is asked again after some seconds. */
const comparisonsDone = async (world: World, load: Load): Promise<void> => {
  for (let i = 0; i < 45; i++) {
    await delay(1000);
    await showProgress(world, load, 0, 'dual');
    if ((await world.metric('crossfade_shadow_in_flight')) === 0) return;
  }
};

export const shadow = async (world: World, load: Load): Promise<void> => {
  heading('shadow: every read is also asked of the target and compared');
  say(`   $ nats kv put crossfade rt.${slug}.pct.shadow 100`);
  await world.kvPut(`rt.${slug}.pct.shadow`, '100');
  await live(world, load, 6);
  await world.kvPut(`rt.${slug}.pct.shadow`, '0');
  await comparisonsDone(world, load);
  const compared = await world.metric('crossfade_shadow_compared_total');
  const unstable = await world.metric('crossfade_shadow_skipped_total', { reason: 'unstable' });
  claim('answers were compared', compared > 20, `${compared} comparisons`);
  claim('the target answered every compared read', (await sumBySeverity(world, ['S0'])) === 0);
  const wrong = await sumBySeverity(world, mismatches);
  claim('no write under way counts as a mismatch', wrong <= compared / 100, `${wrong}; ${unstable} not to be judged`);
  const { verdict } = await until(world, load, (status) => status.verdict !== null, 15);
  claim(
    'the verdict has nothing against the target',
    verdict !== null && verdict.verdict !== 'rollback',
    `${verdict?.verdict}: ${verdict?.reason}`,
  );
  untouched(load);
};

const shareOnTarget = async (world: World, load: Load, percent: number, seconds: number): Promise<number> => {
  const before = { source: await reads(world, 'source'), target: await reads(world, 'target') };
  await live(world, load, seconds, percent);
  const source = (await reads(world, 'source')) - before.source;
  const target = (await reads(world, 'target')) - before.target;
  return (100 * target) / Math.max(1, source + target);
};

/** Four standard deviations of a draw of some hundred reads. */
const nearly = (seen: number, percent: number): boolean =>
  seen > 0 && Math.abs(seen - percent) <= 1 + 4 * Math.sqrt((percent * (100 - percent)) / 200);

export const ramp = async (world: World, load: Load): Promise<void> => {
  heading('ramp: the target answers 1, 10, 50, 100 % of the reads');
  for (const percent of [1, 10, 50, 100]) {
    say(`   $ nats kv put crossfade rt.${slug}.pct.read ${percent}`);
    await world.kvPut(`rt.${slug}.pct.read`, String(percent));
    await delay(300);
    const seen = await shareOnTarget(world, load, percent, 4);
    claim(`${percent} % of the reads come from the target`, nearly(seen, percent), `${seen.toFixed(1)} % seen`);
  }
  untouched(load);
};

export const reset = async (world: World, load: Load): Promise<void> => {
  heading('reset: all reads are back at once');
  claim('the route is reset', await command(world, 'route', 'reset', slug));
  await delay(300);
  const seen = await shareOnTarget(world, load, 0, 3);
  claim('no read goes to the target any more', seen === 0, `${seen.toFixed(1)} % seen`);
  untouched(load);
};

const switchTo = async (world: World, load: Load, verb: 'advance' | 'rollback', phase: string): Promise<void> => {
  const ready = await until(
    world,
    load,
    ({ safeToAdvance, safeToRollBack }) => (verb === 'advance' ? safeToAdvance : safeToRollBack).ok,
    90,
  );
  const answer = verb === 'advance' ? ready.safeToAdvance : ready.safeToRollBack;
  claim(
    `it is safe to ${verb === 'advance' ? 'advance' : 'roll back'}`,
    answer.ok,
    answer.reasons.join('; ') || 'every condition holds',
  );
  claim(
    `the ${verb === 'advance' ? 'cutover' : 'rollback'} is done`,
    await command(world, verb, slug, '--wait', '--yes'),
  );
  const status = await until(world, load, (now) => now.phase === phase && now.lastCutover?.result === 'committed', 10);
  claim(
    `the authority is the ${phase === 'target' ? 'target' : 'source'}`,
    status.phase === phase,
    `epoch ${status.epoch}, reign ${status.reign}`,
  );
  say(
    `   writes waited ${status.lastCutover?.pauseMs?.toFixed(0) ?? '?'} ms (${status.lastCutover?.path ?? '?'} path)`,
  );
  await live(world, load, 4);
  untouched(load);
};

export const cutover = (world: World, load: Load): Promise<void> => {
  heading('cutover: the target takes the authority over writes, the source follows');
  return switchTo(world, load, 'advance', 'target');
};

export const rollback = (world: World, load: Load): Promise<void> => {
  heading('rollback: the source takes it back, with everything written meanwhile');
  return switchTo(world, load, 'rollback', 'dual');
};
