/** Brings a switch to one of its labelled points, where its leader stands still until the test has done its harm. */
import type { SwitchPoint } from '../../src/agent/leader/switch.ts';
import type { RouteStatus } from '../../src/fleet/fleet-status.ts';
import type { Ran } from '../support/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import type { Standing, World } from './world.ts';

export type Asked = { at: SwitchPoint; ask: readonly string[] };
/** `ended`: what the operator is told once the switch has ended. */
export type Stood = Standing & { ended: Promise<Ran> };

/** A switch that is refused or given up before it gets there is asked for again. */
export const standAt = async (world: World, { at, ask }: Asked): Promise<Stood> => {
  const safe = (now: RouteStatus) => (ask[0] === 'rollback' ? now.safeToRollBack : now.safeToAdvance).ok;
  const standing = world.standsAt(at);
  const ends: Ran[] = [];
  for (let tries = 0; tries < 3; tries++) {
    await world.until(safe, `the gate to open before ${at}`);
    const ended = world.cli(...ask, world.slug, '--wait', '--yes');
    const first = await Promise.race([standing, ended]);
    if ('leader' in first) return { ...first, ended };
    ends.push(first);
    // A request interrupts the tail: asked again at once, a busy machine would never be caught up.
    await world.load.acknowledges(50);
  }
  throw new Error(`no switch came to ${at}: ${JSON.stringify(ends)}`);
};

/** What clients may be told while nothing goes wrong for them: two updates of one document may meet. */
export const unnoticed = ({ recorder }: World, since = 0): string[] =>
  Object.keys(recorder.refusals(since)).filter((answer) => answer !== 'none' && answer !== '409');

/**
 * Whatever clients have begun gets its answer soon. Asked while the follower still misbehaves: who waited for it is answered
 * once it is well again, and nobody would be the wiser.
 */
export const answersAll = async (worlds: World | readonly World[]): Promise<void> => {
  const begun = [worlds].flat().flatMap(({ recorder }) => recorder.operations.slice());
  const open = () => begun.filter(({ answer }) => answer === 'none');
  await eventually(() => open().length === 0, {
    timeoutMs: 5_000,
    what: 'every write begun so far to be answered',
  }).catch((error: unknown) => {
    throw new Error(`${open().length} writes wait: ${JSON.stringify(open().slice(0, 3))}`, { cause: error });
  });
};
